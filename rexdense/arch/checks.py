"""Checks of the numbers that rules are given."""

import math
import numbers
from typing import Any

from rexdense.errors import InvalidArgument

__all__ = ['require_positive', 'require_positive_integer', 'require_ratio']


def require_positive(name: str, value: Any) -> None:
    """Raise InvalidArgument unless ``value`` is a finite number above 0."""
    if not _is_real(value) or not 0 < value < math.inf:
        raise InvalidArgument(f'{name}={value!r}: give a number above 0')


def require_positive_integer(name: str, value: Any) -> None:
    """Raise InvalidArgument unless ``value`` is a whole number above 0."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise InvalidArgument(f'{name}={value!r}: give a whole number above 0')


def require_ratio(name: str, value: Any) -> None:
    """Raise InvalidArgument unless ``value`` is a number from 0 to 1."""
    if not _is_real(value) or not 0 <= value <= 1:
        raise InvalidArgument(f'{name}={value!r}: allowed are 0 (off) to 1')


def _is_real(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
