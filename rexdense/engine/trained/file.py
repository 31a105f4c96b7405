"""The checkpoint of a training run: weights, config and classes."""

import dataclasses
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import Tensor

from rexdense.checkpoint import read_checkpoint
from rexdense.checkpoint.details import taught_classes, taught_palette
from rexdense.checkpoint.formats.config_text import read_config_text
from rexdense.engine.config.stored.config import read_stored_config
from rexdense.engine.trained.flips import flip_directions
from rexdense.errors import CheckpointUnreadable


@dataclasses.dataclass(frozen=True)
class TrainingFile:
    """A file that a run of rexdense train has saved.

    Attributes:
        path: The file that was read.
        state: The model's tensors; the EMA if the run kept one.
        classes: Class names in the order of the labels; None if the file has none.
        palette: The colours (R, G, B) of the classes, from 0 to 255; None if the file does not have
            one for each.
        config_text: The whole config of the run as text; None if the file has none.
    """

    path: Path
    state: dict[str, Tensor]
    classes: tuple[str, ...] | None
    palette: tuple[tuple[int, int, int], ...] | None
    config_text: str | None

    def config(self) -> Config:
        """Return the config of the run; raise CheckpointUnreadable if the file has none."""
        if self.config_text is None:
            raise CheckpointUnreadable(
                f'{self.path} holds no config; give a checkpoint that rexdense train has written'
            )
        return read_stored_config(self.config_text, str(self.path))

    def normalisation(self) -> dict[str, Any] | None:
        """Return the data preprocessor's section of the run's config; None if there is none, or if
        the config cannot be read."""
        model = _dictionary((self._content() or {}).get('model'))
        return _dictionary(model.get('data_preprocessor')) or None

    def flips(self) -> tuple[str, ...] | None:
        """Return the directions in which its training flipped images; None if the config is missing
        or cannot be read."""
        content = self._content()
        return None if content is None else flip_directions(content.get('train_dataloader'))

    def _content(self) -> dict[str, Any] | None:
        """Return the config as data; None if it is missing or cannot be read."""
        if self.config_text is None:
            return None
        try:
            return read_config_text(self.config_text, str(self.path))
        except CheckpointUnreadable:
            return None


def read_training_file(path: str | Path) -> TrainingFile:
    """Read a checkpoint of a training run, or one with only weights. Raise CheckpointUnreadable if
    the file is not one, or has anything else in place of weights, class names or a config."""
    content = read_checkpoint(path).content
    if not isinstance(content, dict):
        raise CheckpointUnreadable(f'{path} holds a {type(content).__name__}, no checkpoint')
    state = content.get('state_dict', content)
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(tensor, Tensor) for key, tensor in state.items()
    ):
        raise CheckpointUnreadable(
            f'{path} has something else where a training file has weights by name: give a '
            'checkpoint that rexdense train has written'
        )
    meta = content.get('meta')
    text = meta.get('cfg') if isinstance(meta, dict) else None
    return TrainingFile(
        Path(path),
        state,
        taught_classes(content, path),
        taught_palette(content, path),
        text if isinstance(text, str) else None,
    )


def _dictionary(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
