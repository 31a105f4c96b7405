"""The model of a training checkpoint, built from the config that lies in the file."""

from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from torch import nn

from rexdense.engine.building import config_faults
from rexdense.engine.config import innermost_dataset
from rexdense.engine.runner import import_scope, require_same_tensors
from rexdense.engine.stored_config import require_known_types
from rexdense.engine.training_file import read_training_file
from rexdense.errors import CheckpointUnreadable
from rexdense.registry import MODELS

__all__ = ['TrainedModel', 'load_trained_model']


class TrainedModel(NamedTuple):
    """What a training checkpoint holds, ready to be used.

    Attributes:
        model: In evaluation mode, with the checkpoint's weights.
        pipeline: Makes the model's input from the path of an image.
        classes: Names in the order of the labels.
        config: The whole config of the run.
    """

    model: nn.Module
    pipeline: Compose
    classes: tuple[str, ...]
    config: Config


def load_trained_model(checkpoint: Path, device: str, trust_config: bool = False) -> TrainedModel:
    """Build the model of a training checkpoint from the config that lies in it.

    Args:
        trust_config: Let that config import any module it names.

    Raises:
        CheckpointUnreadable: the file is no checkpoint, or holds no config and classes.
        CheckpointMismatch: its tensors are not those of its config.
    """
    file = read_training_file(checkpoint)
    config = file.config()
    require_known_types(config, str(checkpoint), trust_config)
    if file.classes is None:
        raise CheckpointUnreadable(f'{checkpoint} holds no class names')
    import_scope(config)
    init_default_scope(config.get('default_scope', 'mmengine'))
    with config_faults():
        model = MODELS.build(config.model)
        steps = innermost_dataset(config.test_dataloader).pipeline
        # Annotations are not there.
        pipeline = Compose([step for step in steps if 'Annotations' not in step['type']])
    require_same_tensors(model, file.state, str(checkpoint))
    model.load_state_dict(file.state)
    return TrainedModel(model.to(device).eval(), pipeline, file.classes, config)
