"""Safe reading of the config text in a checkpoint.

mmengine stores the config as Python text and reads it by running the text (``Config.fromstring``).
The text could contain any code, so it is parsed here instead.
"""

import ast
import math
from typing import Any

from rexdense.errors import CheckpointUnreadable

_NUMBERS = {'inf': math.inf, 'nan': math.nan}


def read_config_text(text: str, source: str) -> dict[str, Any]:
    """Return the values of a config that mmengine wrote as text (``Config.pretty_text``).

    Raises:
        CheckpointUnreadable: it is more than assignments of values. ``source`` is the file's name.

    Example:
        >>> read_config_text("model = dict(type='FasterRCNN')", 'epoch_1.pth')
        {'model': {'type': 'FasterRCNN'}}
    """
    values = {}
    try:
        for statement in ast.parse(text).body:
            if not isinstance(statement, ast.Assign):
                raise ValueError(f'line {statement.lineno} is no assignment')
            (target,) = statement.targets
            if not isinstance(target, ast.Name):
                raise ValueError(f'line {statement.lineno} assigns to no name')
            values[target.id] = _value(statement.value)
    except (
        MemoryError,  # the parser's error for text that is nested too deeply
        RecursionError,
        SyntaxError,
        TypeError,
        ValueError,
    ) as error:
        raise CheckpointUnreadable(
            f'the config in {source} is more than a list of values ({error}): it is not one that '
            'rexdense train has written'
        ) from error
    return values


def _value(node: ast.expr) -> Any:
    """Return the value of a literal; dict(key=value) is allowed for a dictionary."""
    match node:
        case ast.Call(func=ast.Name(id='dict'), args=[] | [ast.Dict()] as first, keywords=named):
            # mmengine writes keys that are not identifiers as dict({...}).
            start = _value(first[0]) if first else {}
            if any(keyword.arg is None for keyword in named):
                raise ValueError(f'line {node.lineno} unpacks a dictionary')
            return start | {keyword.arg: _value(keyword.value) for keyword in named}
        case ast.Dict(keys=keys, values=values):
            pairs = [(key, item) for key, item in zip(keys, values, strict=True) if key]
            if len(pairs) < len(keys):
                raise ValueError(f'line {node.lineno} unpacks a dictionary')
            return {_value(key): _value(item) for key, item in pairs}
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
