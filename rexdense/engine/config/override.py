"""Overrides of single values in a config from the command line."""

import copy
import inspect
from collections.abc import Callable
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner
from mmengine.utils.dl_utils import set_multi_processing

from rexdense.engine.config.checks.assigned import is_index, require_fitting_values
from rexdense.engine.config.followers import follow_channels
from rexdense.engine.config.load import RUN_LENGTHS, stretch
from rexdense.errors import InvalidArgument, UnknownName, suggest

# Keys that mmengine's Runner reads besides its own arguments (runner/runner.py).
_READ_LATER = {
    *('activation_checkpointing', 'compile', 'efficient_conv_bn_eval'),
    *('find_unused_parameters', 'model_wrapper_cfg', 'sync_bn'),
}
_BEGUN_AS_LISTS = ('custom_hooks', 'param_scheduler')
"""Sections that are created as lists if the config has none."""


def _parameters(function: Callable) -> set[str]:
    return set(inspect.signature(function).parameters) - {'self'}


# Every key that a run reads; a config file may have further variables of its own.
KEYS = (_parameters(Runner.__init__) | _READ_LATER) - {'cfg'}
# Sections that no class checks, because none is built from them.
_ARGUMENTS = {
    'auto_scale_lr': {'base_batch_size', 'enable'},
    'compile': _parameters(torch.compile) - {'model'},
    'env_cfg': {'cudnn_benchmark', 'dist_cfg', 'mp_cfg', 'resource_limit'},
    'env_cfg.mp_cfg': _parameters(set_multi_processing) - {'distributed'},
    'randomness': _parameters(Runner.set_randomness),
}


NEEDED = ('model', 'optim_wrapper', 'train_cfg', 'train_dataloader')
"""Sections that every training needs."""
_MEASURED = ('cfg', 'dataloader', 'evaluator')
"""Name endings of the three sections that mmengine's Runner needs together or not at all."""


def override(config: Config, assignments: dict[str, Any]) -> None:
    """Set dotted keys of a config, such as ``model.backbone.arch``.

    A run must read the first part of a key. The other parts must exist in the config, with these
    exceptions: the last part, which may be a new argument; sections that classes accept but configs
    seldom have (``init_cfg``); and sections whose ``type`` is also set. If the backbone changes,
    necks and heads are updated (:mod:`rexdense.engine.config.followers`). If the length of the run
    changes, so does the schedule, unless it is also set.

    Raises:
        UnknownName: nothing reads a key, or no backbone has its new name.
        InvalidArgument: the backbone's new arguments are out of range, or a section is given for a
            value or a value for a section, see
            :func:`rexdense.engine.config.checks.assigned.require_fitting_values`.
    """
    require_fitting_values(config, assignments)
    # Works on a copy, so that a faulty key leaves the config unchanged.
    root = copy.deepcopy(config._cfg_dict)
    # Merged sections become parts of the config: two keys must not share one.
    merged = {key: copy.deepcopy(value) for key, value in assignments.items()}
    for key, value in assignments.items():
        _require_known(key)
        if key in NEEDED and value is None:
            raise InvalidArgument(
                f'--cfg-options {key}=None: a run needs this section; set its values by '
                f'{key}.NAME=VALUE'
            )
        node: Any = root
        above: Any = None
        parts = key.split('.')
        for place, part in enumerate(parts[:-1]):
            whole = '.'.join(parts[: place + 1])
            fresh = ConfigDict if whole not in _BEGUN_AS_LISTS else list
            may_be_new = place == 0 or part.endswith('_cfg') or f'{whole}.type' in assignments
            above, node = node, _step(node, part, key, fresh if may_be_new else None)
        if isinstance(node, (list, tuple)):
            there = _step(node, parts[-1], key)
            both_sections = isinstance(there, dict) and isinstance(value, dict)
            if not both_sections and isinstance(above, (dict, list)):
                # mmengine merges only sections into the elements of lists.
                place = int(parts[-1])
                replaced = type(node)([*node[:place], value, *node[place + 1 :]])
                above[int(parts[-2]) if isinstance(above, list) else parts[-2]] = replaced
                del merged[key]
        elif not isinstance(node, dict):
            raise UnknownName(
                f'--cfg-options {key}: what {parts[-1]!r} is looked for in is a value: {node}'
            )
    _require_whole_measures(config, assignments)
    config._cfg_dict.update(root)
    before = ConfigDict(backbone=(config.get('model') or {}).get('backbone') or {})
    loop = config.get('train_cfg') or {}
    lengths = {key: loop.get(key) for key in RUN_LENGTHS}
    try:
        config.merge_from_dict(merged)
    except TypeError as error:
        # A section in place of a value; mmengine's message names it.
        raise InvalidArgument(f'--cfg-options {", ".join(merged)}: {error}') from error
    model = config.get('model') or {}
    if before.backbone != model.get('backbone'):
        follow_channels(model, before)
    if not any(key.startswith('param_scheduler') for key in assignments):
        for key, length in lengths.items():
            if length and config.train_cfg.get(key) not in (None, length):
                stretch(config, key, config.train_cfg[key], length)


def _require_whole_measures(config: Config, assignments: dict[str, Any]) -> None:
    """Raise InvalidArgument if only some of the three sections of validation, or of the test, are
    set to None."""
    for stage in ('val', 'test'):
        names = [f'{stage}_{end}' for end in _MEASURED]
        removed = [name for name in names if name in assignments and assignments[name] is None]
        left = [name for name in names if assignments.get(name, config.get(name)) is not None]
        if removed and left:
            raise InvalidArgument(
                f'--cfg-options {removed[0]}=None: {", ".join(names)} go together; to leave them '
                f'out, set {" and ".join(f"{name}=None" for name in left)} as well'
            )


def _require_known(key: str) -> None:
    """Raise UnknownName if nothing reads a key, as far as its name shows."""
    first = key.partition('.')[0]
    if first not in KEYS:
        raise UnknownName(f'--cfg-options {key}: nothing reads {first!r}; {suggest(first, KEYS)}')
    section = key.rpartition('.')[0]
    while section:
        part, allowed = key[len(section) + 1 :].partition('.')[0], _ARGUMENTS.get(section)
        if allowed is not None and part not in allowed:
            raise UnknownName(
                f'--cfg-options {key}: nothing reads {part!r} there; {suggest(part, allowed)}'
            )
        section = section.rpartition('.')[0]


def _step(node: Any, part: str, key: str, fresh: type | None = None) -> Any:
    """Return the value at ``part`` of a node.

    Args:
        fresh: Type of a new value if there is none; None if there must be one.
    """
    if isinstance(node, list) and fresh and part == str(len(node)):
        node.append(fresh())
    if isinstance(node, (list, tuple)):
        if not is_index(part, node):
            raise UnknownName(
                f'--cfg-options {key}: {part!r} is no index into a list of {len(node)}'
            )
        return node[int(part)]
    if not isinstance(node, dict):
        raise UnknownName(f'--cfg-options {key}: what {part!r} is looked for in is a value: {node}')
    if node.get(part) is None and fresh:
        node[part] = fresh()
    if part not in node:
        raise UnknownName(
            f'--cfg-options {key}: the config has no {part!r} there; {suggest(part, node)}'
        )
    return node[part]
