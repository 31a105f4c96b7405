"""Check of the values that options assign in a config."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config

from rexdense.engine.config.load import RUN_LENGTHS
from rexdense.errors import InvalidArgument, abridged

_LENGTHS = tuple(f'train_cfg.{name}' for name in RUN_LENGTHS)
# Sections that a list of sections may not replace.
_SINGLE = ('env_cfg', 'model', 'model.backbone', 'optim_wrapper', 'train_cfg')
# Lists of sections, by the last part of the key, that a config need not have.
_LISTS = ('custom_hooks', 'param_scheduler', 'pipeline', 'vis_backends')
_LONGEST_INDEX = 10


def is_index(part: str, node: Sequence[Any]) -> bool:
    """Return whether a part of a key is a valid index into a list."""
    # Python converts no number with thousands of digits.
    return part.isdecimal() and len(part) < _LONGEST_INDEX and int(part) < len(node)


def require_fitting_values(config: Config, assignments: Mapping[str, Any]) -> None:
    """Raise InvalidArgument for values of the wrong kind.

    These are: a value in place of a section or a list of sections, a length of the run that is no
    whole number above 0, a key that is assigned both a section and a value, and section keys that
    are not text.
    """
    for key, value in assignments.items():
        parts = key.split('.')
        for place in range(1, len(parts)):
            above = '.'.join(parts[:place])
            if above in assignments and not isinstance(assignments[above], dict):
                raise InvalidArgument(
                    f'--cfg-options {above}={abridged(assignments[above])} and {key}: {above} '
                    'would be a value and a section; give one of them'
                )
        for name in _keys(value):
            if not isinstance(name, str):
                raise InvalidArgument(
                    f'--cfg-options {key}: a section names its values, and {name!r} is no name; '
                    'write values with such keys in the config file'
                )
        if key in _LENGTHS and not (type(value) is int and value > 0):
            raise InvalidArgument(
                f'--cfg-options {key}={abridged(value)}: give a whole number above 0'
            )
        found = _found(config, parts)
        # A class may have an argument with the same name, for example a string.
        is_list = parts[-1] in _LISTS and (found is None or _is_list(found))
        if (is_list or _has_sections(found)) and not _has_sections(value, or_none=True):
            raise InvalidArgument(
                f'--cfg-options {key}={abridged(value)}: {key} is a list of sections; change one '
                f'by {key}.0.NAME=VALUE, leave all out by {key}=None, or write them in a config '
                'file'
            )
        if isinstance(found, dict) and not _is_section(key, value):
            raise InvalidArgument(
                f'--cfg-options {key}={abridged(value)}: {key} is a section of the config; give '
                f'its values by {key}.NAME=VALUE'
            )


def _has_sections(value: Any, or_none: bool = False) -> bool:
    """Return whether a value is a list of sections; with ``or_none``, also a single section or
    nothing."""
    if or_none and (value is None or isinstance(value, dict) or value in ([], ())):
        return True
    return _is_list(value) and bool(value) and all(isinstance(each, dict) for each in value)


def _is_section(key: str, value: Any) -> bool:
    """Return whether a value may replace a section.

    Such values are one or several sections, none, or a switch. Switches are allowed for arguments
    of classes and for ``compile``, whose section gives details of True.
    """
    if isinstance(value, bool):
        return key == 'compile' or ('.' in key and key not in _SINGLE)
    if isinstance(value, (list, tuple)) and key not in _SINGLE:
        return all(isinstance(each, dict) for each in value)
    return value is None or isinstance(value, dict)


def _found(config: Config, parts: list[str]) -> Any:
    node: Any = config._cfg_dict
    for part in parts:
        if isinstance(node, dict):
            node = node.get(part)
        elif isinstance(node, (list, tuple)) and is_index(part, node):
            node = node[int(part)]
        else:
            return None
    return node


def _keys(value: Any) -> Iterator[Any]:
    """Yield the keys of all dictionaries in a value."""
    if isinstance(value, dict):
        yield from value
    for part in value.values() if isinstance(value, dict) else value if _is_list(value) else ():
        yield from _keys(part)


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))
