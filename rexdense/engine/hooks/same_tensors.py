"""Hook that checks that a checkpoint has exactly the tensors of the model."""

from collections.abc import Mapping

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner
from torch import Tensor, nn

from rexdense.checkpoint.details import configured_options, taught_classes
from rexdense.checkpoint.fine_tuning import with_own_class_layers
from rexdense.device import bare_model
from rexdense.engine.resume.continuing import take_last_weights
from rexdense.errors import CheckpointMismatch, some_of

MOST_TENSORS_NAMED = 3


class RequireSameTensors(Hook):
    """Check a checkpoint before any of it is used; mmengine would only log a warning.

    A training that starts from a model with another number of classes keeps its own class layers.

    Raises:
        CheckpointMismatch: its tensors are not those of the model.
    """

    # Before the EMA hook.
    priority = 'VERY_HIGH'

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Compare the tensors. A bare state dict gets the form that mmengine's hooks expect."""
        if 'state_dict' not in checkpoint:
            checkpoint['state_dict'] = dict(checkpoint)
        source = runner._load_from or 'the checkpoint'
        if runner._resume:
            take_last_weights(runner, checkpoint)
        if isinstance(runner._train_loop, BaseLoop) and not runner._resume:
            _keep_own_class_layers(runner, checkpoint, source)
        require_same_tensors(bare_model(runner.model), checkpoint['state_dict'], source)
        backbone = backbone_of(runner.model)
        if backbone is not None:
            family = backbone.architecture.family
            for option, value in configured_options(checkpoint.get('meta') or {}, family).items():
                setattr(backbone, option, value)


def _keep_own_class_layers(runner: Runner, checkpoint: dict, source: str) -> None:
    """Keep the layers whose size depends on the classes if training starts from a model with
    another number of classes, and log their names."""
    own = getattr(runner.train_dataloader.dataset, 'metainfo', {}).get('classes')
    if not own:
        return
    classes = taught_classes(checkpoint, source)
    before, now = len(classes) if classes else None, len(own)
    checkpoint['state_dict'], left_out = with_own_class_layers(
        bare_model(runner.model), checkpoint['state_dict'], before, now
    )
    if left_out:
        runner.logger.info(
            f'{source}: all is taken but {len(left_out)} tensors of layers for '
            f'{before or "other"} classes, which start anew for {now}: {", ".join(left_out)}'
        )


def backbone_of(model: nn.Module) -> nn.Module | None:
    """Return the backbone of a detector or segmentor, if it is one of rexdense."""
    backbone = getattr(bare_model(model), 'backbone', None)
    return backbone if hasattr(backbone, 'architecture') else None


def require_same_tensors(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Raise CheckpointMismatch, with the first tensors that differ, by kind, unless a state dict
    has exactly the model's tensors in the same shapes."""
    own = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    other = {name: tuple(tensor.shape) for name, tensor in state.items()}
    differences = {
        'of another shape': [
            f'{name} {other[name]} where the model has {own[name]}'
            for name in own
            if name in other and other[name] != own[name]
        ],
        'missing': [name for name in own if name not in other],
        'left over': [name for name in other if name not in own],
    }
    found = [
        f'{len(names)} {kind} ({some_of(names, MOST_TENSORS_NAMED)})'
        for kind, names in differences.items()
        if names
    ]
    if found:
        raise CheckpointMismatch(
            f'{source} does not fit this model: {"; ".join(found)}. '
            'Use the config and the classes that the checkpoint was trained with; its backbone '
            "alone is read by model.backbone.init_cfg=dict(type='rexdense.Pretrained', "
            'checkpoint=FILE)'
        )
