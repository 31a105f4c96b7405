"""An optimizer whose moments are sharded over the processes (ZeRO, stage 1)."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.optim import ZeroRedundancyOptimizer as MMEngineZero
from torch.optim import Optimizer

from rexdense.errors import InvalidArgument
from rexdense.registry import OPTIMIZERS

_NAME = 'rexdense.ZeroRedundancyOptimizer'
_OF_MMENGINE = ('ZeroRedundancyOptimizer', 'mmengine.ZeroRedundancyOptimizer', MMEngineZero)


@OPTIMIZERS.register_module()
class ZeroRedundancyOptimizer(MMEngineZero):
    """Keep the moments of a shard of the parameters, update these parameters, and send them to the
    other processes (Rajbhandari et al. 2020, "ZeRO", section 5.1).

    This is mmengine's optimizer, with checkpoints that can be saved. In mmengine's, a request for
    the state gathers it from all processes, but mmengine's runner requests it only in the first
    process, which then waits forever. Here :func:`gather_moments`, which all processes call,
    gathers it.

    Args:
        params: Parameters, or groups of them.
        optimizer_type: Name of a class of ``torch.optim``.
        settings: Arguments of that class.
    """

    def state_dict(self) -> dict[str, Any]:
        """Return the whole state as last gathered, in the form of an unsharded ``optimizer_type``.
        Raise RuntimeError in a process without the gathered state."""
        # torch's method, skipping mmengine's.
        return super(MMEngineZero, self).state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load this process's shard of a whole state."""
        # torch empties the given dictionary, and keeps a second copy of the shard.
        super().load_state_dict({**state_dict, 'state': dict(state_dict['state'])})
        self.state.clear()


def share_moments(config: Config) -> None:
    """Make the optimizer of a config shard its moments over the processes. Raise InvalidArgument
    for a single process, or an optimizer that is not one of torch."""
    optimizer = config.optim_wrapper.get('optimizer')
    if optimizer is None:
        raise InvalidArgument('--zero: the config has several optimizers; leave it out')
    if optimizer.type in (*_OF_MMENGINE, _NAME):
        return
    if not torch.distributed.is_initialized():
        raise InvalidArgument(
            '--zero shares the moments of the optimizer out among processes, and this is one '
            'alone: start several with torchrun and --launcher pytorch, or leave --zero out'
        )
    if not isinstance(getattr(torch.optim, str(optimizer.type), None), type):
        raise InvalidArgument(
            f'--zero with the optimizer {optimizer.type}: it takes those of torch.optim, such as '
            'SGD and AdamW; leave it out, or take one of these'
        )
    optimizer.optimizer_type, optimizer.type = optimizer.type, _NAME


def with_gathering_optimizer(wrapper: Any) -> Any:
    """Return the config of an optimizer wrapper, with mmengine's ZeroRedundancyOptimizer replaced
    by that of this module."""
    optimizer = wrapper.get('optimizer') if isinstance(wrapper, Mapping) else None
    if not isinstance(optimizer, Mapping) or optimizer.get('type') not in _OF_MMENGINE:
        return wrapper
    return {**wrapper, 'optimizer': {**optimizer, 'type': _NAME}}


def gather_moments(wrapper: OptimWrapper | OptimWrapperDict) -> None:
    """Gather the sharded moments in the first process; all processes must call this."""
    for each in wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]:
        if isinstance(each.optimizer, ZeroRedundancyOptimizer):
            each.optimizer.consolidate_state_dict()


def kind_of(optimizer: Optimizer) -> type[Optimizer]:
    """Return the class of an optimizer; for a sharded optimizer, the class of the shards."""
    if isinstance(optimizer, ZeroRedundancyOptimizer):
        return type(optimizer.optim)
    return type(optimizer)


def param_groups_of(optimizer: Optimizer) -> list[dict[str, Any]]:
    """Return the groups of an optimizer in the form of its state dict, with parameters as numbers,
    without gathering moments."""
    return Optimizer.state_dict(optimizer)['param_groups']
