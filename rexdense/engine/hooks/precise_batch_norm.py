"""Hook that recomputes batch norm statistics at the end of an epoch."""

import copy
import itertools

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import EpochBasedTrainLoop
from torch import nn

from rexdense.arch.checks import require_positive_integer
from rexdense.device import bare_model
from rexdense.engine.resume.stopping import StopAsked, arriving, stop_if_asked
from rexdense.errors import InvalidArgument
from rexdense.registry import HOOKS


@HOOKS.register_module()
class PreciseBatchNorm(Hook):
    """Recompute the running statistics of batch norm at the end of each epoch.

    The moving averages of a training mix the weights of many steps. Here every layer gets the mean
    of its batch means and of its batch variances over training images, with the present weights.
    This is pycls' precise batch norm (pycls/core/net.py, ``compute_precise_bn_stats``), which
    mmengine does not have. Validation, checkpoints and exports use these statistics. Layers with
    frozen statistics keep them.

    Args:
        num_samples: Number of images, over all processes; 8192 in pycls.

    Raises:
        InvalidArgument: ``num_samples`` is no number above 0; the run counts iterations, so that it
            saves and validates before its only epoch ends; or it averages its weights, to which
            these statistics do not belong.
    """

    def __init__(self, num_samples: int = 8192) -> None:
        require_positive_integer('PreciseBatchNorm num_samples', num_samples)
        self.num_samples = num_samples

    def before_train(self, runner) -> None:
        """Check that the statistics are validated and saved."""
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            raise InvalidArgument(
                'PreciseBatchNorm measures after epochs, and this run counts iterations: leave it '
                'out of custom_hooks, or give train_cfg.by_epoch=True and max_epochs'
            )
        if any(isinstance(hook, EMAHook) for hook in runner.hooks):
            raise InvalidArgument(
                'PreciseBatchNorm measures the weights of the last step, and EMAHook validates and '
                'saves their average: leave one of them out of custom_hooks'
            )

    def after_train_epoch(self, runner) -> None:
        """Recompute the statistics before the epoch is saved and validated. Raise StopAsked, with
        the statistics restored, if the run is asked to stop meanwhile."""
        model = bare_model(runner.model)
        layers = [
            module
            for module in model.modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm)
            and module.training
            and module.track_running_stats
        ]
        if layers:
            momenta = [layer.momentum for layer in layers]
            before = [copy.deepcopy(layer.state_dict()) for layer in layers]
            try:
                for layer in layers:
                    layer.momentum = 1.0
                self._measure(runner, model, layers)
            except StopAsked:
                for layer, state in zip(layers, before, strict=True):
                    layer.load_state_dict(state)
                raise
            finally:
                for layer, momentum in zip(layers, momenta, strict=True):
                    layer.momentum = momentum

    @torch.no_grad()
    def _measure(self, runner, model: nn.Module, layers: list[nn.Module]) -> None:
        loader = runner.train_dataloader
        batch_size = loader.batch_size or loader.batch_sampler.batch_size
        batches = max(1, self.num_samples // (batch_size * get_world_size()))
        sums = [torch.zeros_like(_statistics(layer)) for layer in layers]
        seen = 0
        for batch in arriving(runner, itertools.islice(loader, batches)):
            stop_if_asked(runner)
            model(**model.data_preprocessor(batch, training=True), mode='tensor')
            for total, layer in zip(sums, layers, strict=True):
                total += _statistics(layer)
            seen += 1
        for total, layer in zip(sums, layers, strict=True):
            total /= seen
            all_reduce(total, op='mean')
            layer.running_mean.copy_(total[0])
            layer.running_var.copy_(total[1])


def _statistics(layer: nn.Module) -> torch.Tensor:
    """Return mean and variance (2, C) of a layer."""
    return torch.stack((layer.running_mean, layer.running_var))
