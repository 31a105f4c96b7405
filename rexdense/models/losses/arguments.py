"""Argument checks that losses share."""

from collections.abc import Sequence
from typing import Any

import torch

from rexdense.arch.checks import is_number, require_positive
from rexdense.errors import InvalidArgument


def require_loss_name(name: Any) -> None:
    """Raise InvalidArgument unless the name contains 'loss': mmengine sums the outputs of a model
    whose names contain it."""
    if not isinstance(name, str) or 'loss' not in name:
        raise InvalidArgument(f"loss_name={name!r}: mmengine wants a name with 'loss'")


def require_depth_range(min_depth: Any, max_depth: Any) -> None:
    """Raise InvalidArgument unless ``0 < min_depth < max_depth``, and both are finite numbers."""
    require_positive('min_depth', min_depth)
    require_positive('max_depth', max_depth)
    if not min_depth < max_depth:
        raise InvalidArgument(
            f'min_depth={min_depth}, max_depth={max_depth}: give 0 < min_depth < max_depth'
        )


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
        or not all(is_number(weight) and weight >= 0 for weight in class_weight)
        or not any(class_weight)
    ):
        raise InvalidArgument(
            f'class_weight={class_weight!r}: give a list of a number for each class, 0 or above, '
            'one of them above 0'
        )
    return tuple(map(float, class_weight))
