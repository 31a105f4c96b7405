"""Argument checks that losses share."""

from collections.abc import Sequence
from typing import Any

import torch

from rexdense.arch.checks import is_number
from rexdense.errors import InvalidArgument


def require_factor(name: str, value: Any) -> None:
    """Raise InvalidArgument unless ``value`` is a finite number of at least 0."""
    if not _is_factor(value):
        raise InvalidArgument(f'{name}={value!r}: give a number, 0 or above')


def require_loss_name(name: Any) -> None:
    """Raise InvalidArgument unless the name contains 'loss': mmengine sums the outputs of a model
    whose names contain it."""
    if not isinstance(name, str) or 'loss' not in name:
        raise InvalidArgument(f"loss_name={name!r}: mmengine wants a name with 'loss'")


def require_reduction(reduction: Any) -> None:
    """Raise InvalidArgument unless ``reduction`` is 'mean' or 'sum'."""
    if reduction not in ('mean', 'sum'):
        raise InvalidArgument(
            f"reduction={reduction!r}: allowed are 'mean' and 'sum', which leave void pixels out"
        )


def checked_class_weight(class_weight: Any) -> tuple[float, ...] | None:
    """Return the weight of each class in a loss; None for none.

    Raise InvalidArgument unless it is a list of finite numbers of at least 0, one of them above 0.
    (mmseg also accepts a path, and unpickles the file.)
    """
    if class_weight is None:
        return None
    if isinstance(class_weight, torch.Tensor) or hasattr(class_weight, 'tolist'):
        class_weight = class_weight.tolist()
    if (
        not isinstance(class_weight, Sequence)
        or isinstance(class_weight, str | bytes)
        or not all(map(_is_factor, class_weight))
        or not any(class_weight)
    ):
        raise InvalidArgument(
            f'class_weight={class_weight!r}: give a list of a number for each class, 0 or above, '
            'one of them above 0'
        )
    return tuple(map(float, class_weight))


def _is_factor(value: Any) -> bool:
    return is_number(value) and value >= 0
