"""The config that lies in a checkpoint, read without running it.

mmengine stores it as Python text and reads it back by running that text (``Config.fromstring``).
Whoever made the file could have put anything there, so here the text is taken apart instead.
"""

import ast
import math
import re
from typing import Any

from mmengine.config import Config
from mmengine.utils import import_modules_from_strings

from rexdense.engine.config import walk
from rexdense.errors import CheckpointUnreadable

__all__ = ['read_stored_config', 'require_known_types']

_NUMBERS = {'inf': math.inf, 'nan': math.nan}
# A class of the scopes that rexdense works in, or one found by its bare name. mmengine imports any
# other dotted name, whatever it is (registry/registry.py, Registry.get).
_KNOWN_TYPE = re.compile(r'((rexdense|mmengine|mmcv|mmdet|mmseg|mmpretrain)\.)?\w+')


def read_stored_config(text: str, source: str) -> Config:
    """Return the config that mmengine wrote as text (``Config.pretty_text``).

    Raises:
        CheckpointUnreadable: it is more than assignments of values; ``source`` names the file.
    """
    try:
        values = {}
        for statement in ast.parse(text).body:
            if not isinstance(statement, ast.Assign):
                raise ValueError(f'line {statement.lineno} is no assignment')
            (target,) = statement.targets
            values[target.id] = _value(statement.value)
    except (AttributeError, RecursionError, SyntaxError, TypeError, ValueError) as error:
        raise CheckpointUnreadable(
            f'the config in {source} is more than a list of values ({error}): it is not one that '
            'tools/train.py has written'
        ) from error
    return Config(values)


def _value(node: ast.expr) -> Any:
    """Return a literal, in which dict(key=value) may stand for a dictionary."""
    match node:
        case ast.Call(func=ast.Name(id='dict'), args=[] | [ast.Dict()] as first, keywords=named):
            # mmengine writes keys that are no names as dict({...}).
            start = _value(first[0]) if first else {}
            return start | {keyword.arg: _value(keyword.value) for keyword in named}
        case ast.Dict(keys=keys, values=values):
            return {_value(key): _value(item) for key, item in zip(keys, values, strict=True)}
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
        case ast.Set(elts=items):
            return {_value(item) for item in items}
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.Name(id=name) if name in _NUMBERS:
            return _NUMBERS[name]
        case ast.Constant(value=value):
            return value
    raise ValueError(f'line {node.lineno} holds {ast.unparse(node)[:60]!r}')


def require_known_types(config: Config, source: str, trusted: bool) -> None:
    """Check that building from the config imports nothing but classes of known packages; of a
    trusted one, import the modules that it names.

    Raises:
        CheckpointUnreadable: it names others and is not trusted; ``source`` names the file.
    """
    custom = config.get('custom_imports')
    if trusted:
        if custom:
            import_modules_from_strings(**custom)
        return
    foreign = [
        str(section['type'])
        for section in walk(config._cfg_dict)
        if 'type' in section and not _KNOWN_TYPE.fullmatch(str(section['type']))
    ]
    foreign += list((custom or {}).get('imports', ()))
    if foreign:
        raise CheckpointUnreadable(
            f'the config in {source} wants to import {foreign[0]}, which could be any code: if you '
            'trust its maker with this machine, add --trust-config'
        )
