"""Checks of arguments. Each error says in one line what was given and what is allowed."""

import math
import numbers
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from rexdense.errors import InvalidArgument, suggest

MOST_BLOCKS = 1000
"""Thirty times the deepest named network. A mistyped depth would otherwise be built for hours."""


def require_positive(name: str, value: Any) -> None:
    """Raise InvalidArgument unless ``value`` is a finite number above 0."""
    if not is_number(value) or not value > 0:
        raise InvalidArgument(f'{name}={value!r}: give a number above 0')


def require_not_negative(name: str, value: Any) -> None:
    """Raise InvalidArgument unless ``value`` is a finite number of at least 0."""
    if not is_number(value) or value < 0:
        raise InvalidArgument(f'{name}={value!r}: give a number, 0 or above')


def require_positive_integer(name: str, value: Any) -> None:
    """Raise InvalidArgument unless ``value`` is a whole number above 0."""
    if not is_integer(value) or value < 1:
        raise InvalidArgument(f'{name}={value!r}: give a whole number above 0')


def require_few_blocks(name: str, value: Any, blocks: float) -> None:
    """Raise InvalidArgument if a network would have more than ``MOST_BLOCKS`` blocks.

    Args:
        name, value: The argument that determines the number of blocks.
        blocks: The resulting number of blocks.
    """
    if blocks > MOST_BLOCKS:
        raise InvalidArgument(
            f'{name}={value!r}: a network of more than {MOST_BLOCKS} blocks; give a smaller number'
        )


def require_ratio(name: str, value: Any, below_one: bool = False) -> None:
    """Raise InvalidArgument unless ``value`` is a number from 0 to 1, or in [0, 1) with
    ``below_one``."""
    if not is_number(value) or not 0 <= value <= 1 or (below_one and value == 1):
        highest = 'up to, not including, 1' if below_one else 'to 1'
        raise InvalidArgument(f'{name}={value!r}: allowed are 0 (off) {highest}')


def require_flag(name: str, value: Any) -> None:
    """Raise InvalidArgument unless ``value`` is True or False."""
    if not isinstance(value, bool):
        raise InvalidArgument(f'{name}={value!r}: allowed are True and False')


def require_one_of(name: str, value: Any, allowed: Collection[str]) -> None:
    """Raise InvalidArgument, with the closest names, unless ``value`` is one of ``allowed``."""
    if not isinstance(value, str) or value not in allowed:
        raise InvalidArgument(f'{name}={value!r}: {suggest(str(value), allowed)}')


def require_known(taker: str, names: Iterable[str], allowed: Collection[str]) -> None:
    """Raise InvalidArgument, with the closest names, if ``taker`` has no argument of a name."""
    for name in names:
        if name not in allowed:
            raise InvalidArgument(f'{taker} takes no {name!r}: {suggest(name, allowed)}')


def require_sequence(name: str, value: Any, example: str) -> tuple:
    """Return ``value`` as a tuple; raise InvalidArgument if it is empty, a string, a single value,
    or has no order (a set, a dict)."""
    unordered = isinstance(value, str | bytes | Mapping | set | frozenset)
    if unordered or not hasattr(value, '__len__') or not hasattr(value, '__getitem__'):
        raise InvalidArgument(f'{name}={value!r}: give a list, such as {example}')
    if not len(value):
        raise InvalidArgument(f'{name}={value!r}: give a non-empty list, such as {example}')
    return tuple(value)


def require_config(name: str, value: Any, example: str) -> None:
    """Raise InvalidArgument unless ``value`` is a config for mmengine: a dict with a ``type``."""
    if not isinstance(value, Mapping) or 'type' not in value:
        raise InvalidArgument(f'{name}={value!r}: give a dict with a type, such as {example}')


def require_norm_cfg(value: Any) -> dict:
    """Return a copy of a config of normalisation layers; batch norm if it is None."""
    if value is None:
        return dict(type='BN')
    if not isinstance(value, dict):
        raise InvalidArgument(f"norm_cfg={value!r}: give a dict, such as dict(type='BN')")
    return dict(value)


def is_integer(value: Any) -> bool:
    """Return whether ``value`` is a whole number, including numpy's, but not True or False."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Return whether ``value`` is a finite number, including numpy's, but not True or False."""
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return real and math.isfinite(value)
