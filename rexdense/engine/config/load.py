"""Reading a config file and changing it: epochs, image size, classes."""

import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.config.utils import MODULE2PACKAGE

from rexdense.dependencies import missing_dependency
from rexdense.errors import InvalidArgument, RexdenseError, abridged
from rexdense.files.destinations import takes_no_more, unwritable
from rexdense.shipped_configs import find_config

RUN_LENGTHS = ('max_epochs', 'max_iters')
"""Keys of ``train_cfg``, of which a run has one."""

# Epochs in hooks of mmengine, mmdet and mmseg: PipelineSwitchHook, YOLOXModeSwitchHook, EMAHook and
# others that start or end during a run.
_EPOCHS_OF_HOOKS = (
    *('begin_epoch', 'end_epoch', 'num_last_epochs', 'save_begin', 'start_epoch', 'switch_epoch'),
)

_SQUARES = (
    'rexdense.LoadRandomResizedCrop',
    'rexdense.RandomResizedCrop',
    'rexdense.ResizeCenterCrop',
)
"""Transforms whose ``size`` is the side of a square."""

# Exceptions of running a config file that are errors in the file, wherever they are raised.
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
_SECTIONS = (
    *('model', 'optim_wrapper', 'default_hooks', 'env_cfg', 'randomness'),
    *(f'{part}_{end}' for part in ('train', 'val', 'test') for end in ('cfg', 'dataloader')),
)


def load_config(path: str | Path) -> Config:
    """Read an OpenMMLab config file. Its ``_base_`` may name shipped configs, ``'rexdense::...'``.

    Args:
        path: Its path, or the name of a shipped config, see
            :func:`rexdense.shipped_configs.find_config`.

    Raises:
        UnknownName: the file does not exist; the message lists configs with similar names.
        InvalidArgument: the file cannot be read as a config.
        UnwritableFile: the folder of temporary files takes no more.
    """
    path = find_config(path)
    # mmengine resolves names such as 'mmdet::' only for the packages in this table.
    MODULE2PACKAGE.setdefault('rexdense', 'rexdense')
    try:
        config = Config.fromfile(path)
    except (RexdenseError, MemoryError):
        raise
    # The file is executed and can raise anything.
    except Exception as error:
        if isinstance(error, ImportError) and missing_dependency(error):
            raise
        if not isinstance(error, _FAULTS_OF_A_FILE) and _is_raised_here(error):
            raise
        if takes_no_more(error):
            # mmengine copies each file of a config there before it is run.
            raise unwritable(error.filename or tempfile.gettempdir(), error) from error
        hint = (
            '; an import must stand below its _base_ line, else mmengine takes the file for one '
            'of another kind'
            if isinstance(error, RuntimeError) and not isinstance(error, RecursionError)
            else ''
        )
        raise InvalidArgument(
            f'config file {path} cannot be read: {type(error).__name__}: {error}{hint}'
        ) from error
    for name in _SECTIONS:
        if not isinstance(config.get(name) or {}, dict):
            raise InvalidArgument(
                f'config file {path} says {name}={abridged(config.get(name))}: give a section, '
                f'{name} = dict(...)'
            )
    return config


def _is_raised_here(error: Exception) -> bool:
    """Return whether an exception comes from rexdense itself, which a config may call."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return Path(frame.f_code.co_filename).is_relative_to(Path(__file__).parents[2])


def walk(node: Any) -> Iterator[ConfigDict]:
    """Yield every dictionary in a config tree, outer ones first."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from walk(value)


def class_name(section: Mapping[str, Any]) -> str:
    """Return the class name of a section without its scope; empty if there is none.

    Example:
        >>> class_name(dict(type='mmdet.FPN_CARAFE'))
        'FPN_CARAFE'
    """
    kind = section.get('type') or ''
    return kind.__name__ if isinstance(kind, type) else str(kind).rpartition('.')[2]


def dataloader_names(config: Config) -> list[str]:
    """Return the names of the data loaders that the config has."""
    return [
        f'{part}_dataloader'
        for part in ('train', 'val', 'test')
        if config.get(f'{part}_dataloader')
    ]


def innermost_dataset(dataloader: ConfigDict) -> ConfigDict:
    """Return the section of the data set itself, inside wrappers that repeat or mix it."""
    dataset = dataloader.dataset
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    return dataset


def class_heads(node: Any) -> Iterator[ConfigDict]:
    """Yield the sections of a model that predict the classes of the data: those with
    ``num_classes``, except region proposal heads, whose only class is object."""
    if isinstance(node, dict):
        if 'num_classes' in node and 'RPN' not in str(node.get('type')):
            yield node
        for key, value in node.items():
            if key != 'rpn_head':
                yield from class_heads(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from class_heads(value)


def set_num_classes(config: Config, num_classes: int) -> None:
    """Set the number of classes in every head that predicts classes, and in a classifier, whose
    config may omit ImageNet's 1000."""
    if str(config.model.get('type')).endswith('ImageClassifier'):
        config.model.setdefault('num_classes', num_classes)
    for section in class_heads(config.model):
        _set_weights(section, section['num_classes'], num_classes)
        section['num_classes'] = num_classes
    for section in walk(config.model):
        if 'num_things_classes' in section:
            # mmdet's heads have 53 if the config states none.
            before = section.num_things_classes + section.get('num_stuff_classes', 53)
            _set_weights(section, before, num_classes)
            # MaskFormer calls the objects of a data set of boxes or masks things.
            section.num_things_classes, section.num_stuff_classes = num_classes, 0


def _set_weights(head: ConfigDict, before: int, number: int) -> None:
    """Adapt the class weights in a head's loss to the number of classes; the last weight is that of
    no object. Raise InvalidArgument if the weights of the classes differ."""
    loss = head.get('loss_cls')
    weights = loss.get('class_weight') if isinstance(loss, dict) else None
    if not isinstance(weights, (list, tuple)) or len(weights) != before + 1 or number == before:
        return
    if len(set(weights[:-1])) > 1:
        raise InvalidArgument(
            f'loss_cls.class_weight of {head.get("type")} has weights of {before} classes, the '
            f'data {number} classes: give {number + 1} numbers, the last for no object, and '
            f'{number} classes in the config'
        )
    loss['class_weight'] = [*weights[:1] * number, weights[-1]]


def set_scale(config: Config, scale: tuple[int, int]) -> None:
    """Set the (width, height) in pixels of every resizing transform in the data pipelines. Raise
    InvalidArgument if there is none, or if it makes squares and the two differ."""
    found = 0
    for name in dataloader_names(config):
        for section in walk(config[name]):
            kind = str(section.get('type', ''))
            if kind in _SQUARES:
                if scale[0] != scale[1]:
                    raise InvalidArgument(
                        f'--scale {scale[0]},{scale[1]}: classifiers take squares; give '
                        f'{scale[0]},{scale[0]}'
                    )
                section.size = scale[0]
                found += 1
            elif 'Resize' in kind and 'scales' in section:
                section.scales = [scale]
                found += 1
            elif 'Resize' in kind and 'scale' in section:
                # mmcv's RandomResize takes a list as the smallest and the largest size.
                section.scale = [scale, scale] if _is_range(section.scale) else scale
                found += 1
    if not found:
        raise InvalidArgument(
            '--scale: no transform of this config resizes to a fixed scale; use --cfg-options'
        )


def _is_range(scale: Any) -> bool:
    """Return whether a scale is two sizes, between which a random size is drawn."""
    return isinstance(scale, (list, tuple)) and all(
        isinstance(each, (list, tuple)) for each in scale
    )


def set_epochs(config: Config, epochs: int) -> None:
    """Train for ``epochs`` epochs, and stretch all other settings in epochs to that length. Raise
    InvalidArgument for a config that counts iterations."""
    before = config.train_cfg.get('max_epochs')
    if before is None:
        raise InvalidArgument(
            '--epochs: this config counts iterations; set --cfg-options train_cfg.max_iters=N'
        )
    stretch(config, 'max_epochs', epochs, before)


def stretch(config: Config, key: str, length: int, before: int) -> None:
    """Set the length of a run, and stretch the settings in the same unit: the schedule, and the
    times at which hooks begin, end and switch. No event remains after the end.

    Args:
        key: A key of :data:`RUN_LENGTHS`.
        before: The length for which the config was written.
    """
    loop, factor, by_epoch = config.train_cfg, length / before, key == 'max_epochs'
    loop[key] = length
    if 'val_begin' in loop:
        loop['val_begin'] = min(max(1, round(loop['val_begin'] * factor)), length)
    if 'val_interval' in loop:
        loop['val_interval'] = min(loop['val_interval'], length)
    if loop.get('dynamic_intervals'):
        loop['dynamic_intervals'] = [
            (max(1, round(place * factor)), min(interval, length))
            for place, interval in loop['dynamic_intervals']
        ]
    for scheduler in as_list(config.get('param_scheduler')):
        if scheduler.get('by_epoch', True) == by_epoch:
            _stretch_scheduler(scheduler, factor)
    hooks = [*(config.get('default_hooks') or {}).values(), *(config.get('custom_hooks') or [])]
    for hook in hooks:
        if isinstance(hook, dict):
            _stretch_hook(hook, length, before, by_epoch)


def _stretch_hook(hook: ConfigDict, length: int, before: int, by_epoch: bool) -> None:
    if hook.get('begin_iter'):
        hook.begin_iter = round(hook.begin_iter * length / before)
    if hook.get('by_epoch', True) != by_epoch:
        return
    for name in _EPOCHS_OF_HOOKS if by_epoch else ():
        if hook.get(name):
            # A change during the run must happen before its last epoch.
            last = length - 1 if hook[name] < before else length
            hook[name] = min(max(1, round(hook[name] * length / before)), last)
    if str(hook.get('type')).endswith('CheckpointHook') and hook.get('interval', -1) > length:
        hook.interval = length


def _stretch_scheduler(scheduler: ConfigDict, factor: float) -> None:
    for key in ('end', 'T_max', 'total_iters', 'total_steps', 'step_size'):
        if scheduler.get(key):
            scheduler[key] = max(1, round(scheduler[key] * factor))
    if scheduler.get('begin'):
        # The scheduler after a warm-up that has almost no length left begins with it.
        begin = round(scheduler['begin'] * factor)
        scheduler['begin'] = max(0, min(begin, scheduler.get('end', begin + 1) - 1))
    for key in ('milestones', 'periods'):
        if key in scheduler:
            scheduler[key] = [max(1, round(place * factor)) for place in scheduler[key]]


def as_list(value: Any) -> Sequence[Any]:
    """Return the sections of a list, a single section as a list, or none."""
    return value if isinstance(value, (list, tuple)) else [value] if value else []
