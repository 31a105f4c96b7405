"""Reading a config file and changing it: overrides, epochs, image size, classes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from rexdense.dependencies import missing_dependency
from rexdense.errors import InvalidArgument, RexdenseError, UnknownName, suggest

__all__ = [
    'dataloader_names',
    'innermost_dataset',
    'load_config',
    'set_epochs',
    'set_num_classes',
    'set_scale',
    'walk',
]


# What running a config file raises when the fault is in the file.
_FAULTS_OF_A_FILE = (
    AttributeError,
    ImportError,
    KeyError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


def load_config(path: str | Path) -> Config:
    """Read an OpenMMLab config file.

    Raises:
        UnknownName: the file is not there; the message lists configs of a similar name.
        InvalidArgument: the file cannot be read as a config.
    """
    path = Path(path)
    if not path.is_file():
        root = next(
            (parent for parent in (path, *path.parents) if parent.name == 'configs'),
            Path('configs'),
        )
        names = {found.stem: found for found in root.rglob('*.py') if '_base_' not in found.parts}
        hint = suggest(path.stem, names) if names else 'give the path of a config file'
        raise UnknownName(f'no config file {path}: {hint}')
    try:
        return Config.fromfile(path)
    except RexdenseError:
        raise
    except _FAULTS_OF_A_FILE as error:
        if isinstance(error, ImportError) and missing_dependency(error):
            raise
        hint = (
            '; an import must stand below its _base_ line, else mmengine takes the file for one '
            'of another kind'
            if isinstance(error, RuntimeError)
            else ''
        )
        raise InvalidArgument(
            f'config file {path} cannot be read: {type(error).__name__}: {error}{hint}'
        ) from error


def walk(node: Any) -> Iterator[ConfigDict]:
    """Yield every dictionary in a config tree, the outer ones first."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from walk(value)


def dataloader_names(config: Config) -> list[str]:
    """Return which of the three data loaders the config sets."""
    return [
        f'{part}_dataloader'
        for part in ('train', 'val', 'test')
        if config.get(f'{part}_dataloader')
    ]


def innermost_dataset(dataloader: ConfigDict) -> ConfigDict:
    """Return the section of the data set itself, below those that repeat or mix it."""
    dataset = dataloader.dataset
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    return dataset


def set_num_classes(config: Config, num_classes: int) -> None:
    """Set the class count of every head in the model."""
    for section in walk(config.model):
        if 'num_classes' in section:
            section['num_classes'] = num_classes


def set_scale(config: Config, scale: tuple[int, int]) -> None:
    """Set the (width, height) in pixels that every resizing transform of the data scales to."""
    found = 0
    for name in dataloader_names(config):
        for section in walk(config[name]):
            if 'Resize' in str(section.get('type', '')) and (
                'scale' in section or 'scales' in section
            ):
                section['scales' if 'scales' in section else 'scale'] = (
                    [scale] if 'scales' in section else scale
                )
                found += 1
    if not found:
        raise InvalidArgument(
            '--scale: no transform of this config resizes to a fixed scale; use --cfg-options'
        )


def set_epochs(config: Config, epochs: int) -> None:
    """Train for ``epochs`` epochs and stretch the learning-rate schedule, where it counts epochs,
    to that length.

    Raises:
        InvalidArgument: the config trains by iterations.
    """
    loop = config.train_cfg
    if 'max_epochs' not in loop:
        raise InvalidArgument(
            '--epochs: this config counts iterations; set --cfg-options train_cfg.max_iters=N'
        )
    factor = epochs / loop['max_epochs']
    loop['max_epochs'] = epochs
    if loop.get('val_interval', 1) > epochs:
        loop['val_interval'] = epochs
    for scheduler in _as_list(config.get('param_scheduler')):
        if scheduler.get('by_epoch', True):
            for key in ('begin', 'end', 'T_max', 'total_iters', 'step_size'):
                if scheduler.get(key):
                    scheduler[key] = max(1, round(scheduler[key] * factor))
            if 'milestones' in scheduler:
                scheduler['milestones'] = [
                    max(1, round(epoch * factor)) for epoch in scheduler['milestones']
                ]


def _as_list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else [value] if value else []
