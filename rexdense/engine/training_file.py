"""A checkpoint of a training run: weights, the config that made them, the classes they know."""

import dataclasses
from pathlib import Path

from mmengine.config import Config
from torch import Tensor

from rexdense.checkpoint import read_checkpoint
from rexdense.errors import CheckpointUnreadable

__all__ = ['TrainingFile', 'read_training_file']


@dataclasses.dataclass(frozen=True)
class TrainingFile:
    """What a run of tools/train.py saved.

    Attributes:
        state: The model's tensors; the averaged ones where the run averaged.
        config: The whole config of the run.
        classes: Class names in the order of the labels.
    """

    state: dict[str, Tensor]
    config: Config
    classes: tuple[str, ...]


def read_training_file(path: str | Path) -> TrainingFile:
    """Read a checkpoint of a training run.

    Raises:
        CheckpointUnreadable: the file is no checkpoint, or holds no config and classes.
    """
    content = read_checkpoint(path).content
    meta = content.get('meta') if isinstance(content, dict) else None
    if (
        not isinstance(meta, dict)
        or 'cfg' not in meta
        or 'classes' not in (meta.get('dataset_meta') or {})
    ):
        raise CheckpointUnreadable(
            f'{path} holds no config and classes; give a checkpoint that tools/train.py has written'
        )
    return TrainingFile(
        content['state_dict'],
        Config.fromstring(meta['cfg'], '.py'),
        tuple(meta['dataset_meta']['classes']),
    )
