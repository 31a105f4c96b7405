"""No NaN in, no NaN out."""

from collections.abc import Mapping

from torch import Tensor

from rexdense.errors import CheckpointMismatch

__all__ = ['check_finite']


def check_finite(name: str, tensors: Mapping[str, Tensor]) -> None:
    """Raise CheckpointMismatch, naming the tensors, where any value is NaN or infinite."""
    # A sum is finite only if all terms are, and costs no second tensor. It may overflow.
    broken = [
        key
        for key, tensor in tensors.items()
        if tensor.is_floating_point()
        and not tensor.sum().isfinite()
        and not tensor.isfinite().all()
    ]
    if broken:
        raise CheckpointMismatch(
            f'{name} has NaN or infinite values in {len(broken)} tensors '
            f'({", ".join(broken[:3])}): take an earlier checkpoint of that training, or allow '
            'them with --allow-non-finite (allow_non_finite=True in Python)'
        )
