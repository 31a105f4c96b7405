"""Differences between a config and that of a training, in settings that affect metrics."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

from rexdense.checkpoint.formats.config_text import read_config_text
from rexdense.engine.trained.file import TrainingFile
from rexdense.errors import CheckpointUnreadable, abridged, some_of

MOST_NAMED = 4
_ABSENT = 'nothing'
# Settings that matter only in training, or are set from the weights.
_TRAINING_ONLY = re.compile(
    'init_cfg|train_cfg|pretrained|frozen_stages|norm_eval|with_cp|drop_path_rate|dropout_ratio'
    '|loss.*|scale_weights|label_resizing|batch_augments|pool_padding|meta_keys|backend_args'
    '|file_client_args'
)
# Settings that mmengine's runner reads (Runner.from_cfg), without those of each single run.
_SETTING = re.compile(
    'model|.*_dataloader|.*_evaluator|.*_cfg|optim_wrapper|param_scheduler|auto_scale_lr'
    '|(default|custom)_hooks|load_from|log_processor|find_unused_parameters'
)
# Steps of a test pipeline that do not change the image.
_SCOPE = re.compile(r'^(mmdet|mmseg|mmengine)\.')
_LOADS_TRUTH = re.compile('Annotation|LoadDepth')


def differences_sentence(config: Config, file: TrainingFile) -> str:
    """Return a line with the differences between a config and that of a training file; empty if
    there are none, or if the file has no config."""
    if file.config_text is None:
        return ''
    try:
        stored = read_config_text(file.config_text, str(file.path))
    except CheckpointUnreadable:
        return f'The config in {file.path} cannot be read, so nothing is compared with it'
    found = differences(config.to_dict(), stored)
    if not found:
        return ''
    scaled = any(' scale ' in each or ' scales ' in each for each in found)
    hint = ' (--scale W,H sets the size)' if scaled else ''
    return (
        f'Measured otherwise than {file.path} was trained: '
        f'{some_of(found, MOST_NAMED, "; ", "; and ")}{hint}'
    )


def differences(config: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    """Return the differences of model and test pipeline, one sentence each.

    Both are compared as data; nothing is built from them.
    """
    found = [
        f'model.{key} {_text(here)} for {_text(there)}'
        for key, here, there in _unequal(config.get('model'), stored.get('model'))
    ]
    steps, before = _steps(config), _steps(stored)
    kinds, kinds_before = ([str(step.get('type')) for step in each] for each in (steps, before))
    if list(map(_unscoped, kinds)) != list(map(_unscoped, kinds_before)):
        found.append(f'test pipeline {", ".join(kinds)} for {", ".join(kinds_before) or _ABSENT}')
        return found
    for step, step_before in zip(steps, before, strict=True):
        found += [
            f'{step.get("type")} {key} {_text(here)} for {_text(there)}'
            for key, here, there in _unequal(step, step_before)
        ]
    return found


def changed_settings(
    here: Mapping[str, Any], there: Mapping[str, Any]
) -> list[tuple[str, str, str]]:
    """Return all settings of a run that differ between two configs: the dotted key, and both values
    as text, shortened if they are long.

    Variables of the files are ignored, and so are settings of each single run: its folder, seed and
    resumption.
    """
    both = (
        {key: value for key, value in each.items() if _SETTING.fullmatch(key)}
        for each in (here, there)
    )
    return [
        (key, _text(value), _text(other)) for key, value, other in _unequal(*both, left_out=None)
    ]


def _unequal(
    here: Any, there: Any, left_out: re.Pattern | None = _TRAINING_ONLY
) -> Iterator[tuple[str, Any, Any]]:
    values, others = dict(_leaves(here, left_out)), dict(_leaves(there, left_out))
    for key in dict.fromkeys([*values, *others]):
        pair = values.get(key, _ABSENT), others.get(key, _ABSENT)
        # Compared as text, in which nan equals nan.
        if len({repr(_plain(value)) for value in pair}) == 2:
            yield key, *pair


def _leaves(node: Any, left_out: re.Pattern | None, path: str = '') -> Iterator[tuple[str, Any]]:
    """Yield the values of a tree with their dotted keys; a list of values is one value.

    Args:
        left_out: Keys whose subtrees are skipped.
    """
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key != '_scope_' and not (left_out and left_out.fullmatch(str(key))):
                value = _unscoped(value) if key == 'type' else value
                yield from _leaves(value, left_out, f'{path}.{key}' if path else str(key))
    elif isinstance(node, (list, tuple)) and any(isinstance(each, Mapping) for each in node):
        for place, value in enumerate(node):
            yield from _leaves(value, left_out, f'{path}.{place}')
    elif node is not None:
        yield path, node


def _unscoped(kind: Any) -> Any:
    """Return a type without OpenMMLab's scope, which a base config of mmdet states as
    ``_scope_``."""
    return _SCOPE.sub('', kind) if isinstance(kind, str) else kind


def _steps(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the steps of the test pipeline for an image."""
    section = config.get('test_dataloader')
    while isinstance(section, Mapping) and isinstance(section.get('dataset'), Mapping):
        section = section['dataset']
    steps = section.get('pipeline') if isinstance(section, Mapping) else None
    return [
        step
        for step in (steps if isinstance(steps, (list, tuple)) else ())
        if isinstance(step, Mapping) and not _LOADS_TRUTH.search(str(step.get('type')))
    ]


def _text(value: Any) -> str:
    return abridged(_plain(value)) if value is not _ABSENT else _ABSENT


def _plain(value: Any) -> Any:
    """Return a value in a normal form: lists as tuples, 1.0 as 1."""
    if isinstance(value, (list, tuple)):
        return tuple(_plain(each) for each in value)
    return int(value) if isinstance(value, float) and value.is_integer() else value
