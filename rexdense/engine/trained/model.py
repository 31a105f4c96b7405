"""The model of a training checkpoint, built from the config in the file."""

import re
from pathlib import Path
from typing import NamedTuple

from mmengine.config import ConfigDict
from mmengine.dataset import Compose
from mmengine.dist import is_main_process
from torch import nn

from rexdense.deploy import optimize
from rexdense.engine.config.ascend import require_ascend_operators
from rexdense.engine.config.object_limits import set_most_objects
from rexdense.engine.config.stored.config import StoredConfig
from rexdense.engine.hooks.same_tensors import require_same_tensors
from rexdense.engine.trained.file import read_training_file
from rexdense.engine.trained.flips import flip_directions
from rexdense.errors import CheckpointUnreadable, InvalidArgument
from rexdense.registry import MODELS
from rexdense.tasks import Depth, task_of

# Heads of mmdet's and mmseg's models; a cascade has several.
_CLASS_HEAD = re.compile(r'(.*\.)?(bbox|mask|decode)_head(\.\d+)?')


class TrainedModel(NamedTuple):
    """The contents of a training checkpoint, ready to use.

    Attributes:
        model: In evaluation mode, with the checkpoint's weights.
        pipeline: Transforms from the path of an image to the model's input.
        classes: Names in the order of the labels.
        config: The parts used of the run's config: ``model`` and ``pipeline``.
        palette: The colours (R, G, B) of the classes; None if the file has none.
        directions: The directions in which its training flipped images.
    """

    model: nn.Module
    pipeline: Compose
    classes: tuple[str, ...]
    config: ConfigDict
    palette: tuple[tuple[int, int, int], ...] | None
    directions: tuple[str, ...]


def load_trained_model(
    checkpoint: Path,
    device: str,
    trust_config: bool = False,
    optimized: bool = False,
    max_objects: int | None = None,
) -> TrainedModel:
    """Build the model of a training checkpoint from the config in it.

    Args:
        trust_config: Build everything that the config names, and let it import any module.
            Otherwise, only registered classes are built, see
            :class:`rexdense.engine.config.stored.config.StoredConfig`.
        optimized: Return the model as :func:`for_inference` gives it.
        max_objects: Objects of an image that a detector keeps at most; None as that config says.

    Raises:
        CheckpointUnreadable: the file is no checkpoint; it has no config, or one that needs more
            than registered classes; or the model predicts classes and the file has none, or another
            number of them.
        CheckpointMismatch: its tensors are not those of its config.
        InvalidArgument: the device is an NPU, on which mmcv lacks an operator of the model; or the
            model has no limit of objects.
    """
    file = read_training_file(checkpoint)
    whole = file.config()
    stored = StoredConfig(whole, str(checkpoint), trust_config)
    config = ConfigDict(model=stored.model(), pipeline=stored.pipeline())
    tells_classes = not isinstance(task_of(config.model, {}), Depth)
    if file.classes is None and tells_classes:
        raise CheckpointUnreadable(f'{checkpoint} holds no class names')
    if max_objects is not None:
        set_most_objects(config.model, max_objects)
    if device.startswith('npu'):
        require_ascend_operators(config.model)
    with stored.building():
        model = MODELS.build(config.model)
        pipeline = Compose(config.pipeline)
    if tells_classes:
        _require_a_name_for_each_class(model, file.classes, checkpoint)
    require_same_tensors(model, file.state, str(checkpoint))
    model.load_state_dict(file.state)
    model = model.to(device).eval()
    if optimized:
        model = for_inference(model)
    directions = flip_directions(whole.get('train_dataloader'))
    return TrainedModel(model, pipeline, file.classes or (), config, file.palette, directions)


def for_inference(model: nn.Module) -> nn.Module:
    """Return a model in evaluation mode, optimised by :func:`rexdense.deploy.optimize` for the same
    results in less time. A user's own model that cannot be optimised is returned unchanged, with a
    message."""
    try:
        return optimize(model)
    except InvalidArgument as error:
        if is_main_process():
            print(f'the model runs as it is: {error}')
        return model


def _require_a_name_for_each_class(
    model: nn.Module, classes: tuple[str, ...], checkpoint: Path
) -> None:
    for name, module in model.named_modules():
        known = getattr(module, 'num_classes', None)
        if isinstance(known, int) and _CLASS_HEAD.fullmatch(name) and known != len(classes):
            raise CheckpointUnreadable(
                f'{checkpoint} holds {len(classes)} class names, and a model of {known} classes: '
                'give a checkpoint that rexdense train has written'
            )
