"""Activation checkpointing that leaves batch-norm statistics alone: memory for time, with equal results."""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from rexdense.errors import InvalidArgument

__all__ = ['check_with_cp', 'recompute']


def check_with_cp(with_cp: bool | str) -> None:
    """Raise InvalidArgument unless ``with_cp`` is False, True or 'activations'."""
    if with_cp not in (False, True, 'activations'):
        raise InvalidArgument(
            f"with_cp={with_cp!r}: allowed are False, True (recompute whole blocks) and 'activations' "
            '(keep the convolutions, recompute what lies between)'
        )


@contextlib.contextmanager
def _statistics_untouched(module: nn.Module) -> Iterator[None]:
    """Let the batch norms below ``module`` normalise as before without updating their running statistics again."""
    norms = [norm for norm in module.modules() if isinstance(norm, _BatchNorm) and norm.track_running_stats]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True


def recompute(function: Callable[..., Tensor], module: nn.Module, *inputs: Tensor) -> Tensor:
    """Return ``function(*inputs)``, keeping for the backward pass only ``inputs``; the rest is computed again there.

    Args:
        function: Uses the layers below ``module`` only. What follows its last saved tensor is not run again.
        module: Holds the batch norms whose running statistics must be updated once.
    """
    if not torch.is_grad_enabled():
        return function(*inputs)
    return checkpoint(
        function,
        *inputs,
        use_reentrant=False,
        context_fn=lambda: (contextlib.nullcontext(), _statistics_untouched(module)),
    )
