"""Activations that overwrite their input if the backward pass does not need it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from rexdense.models.layers.recording import may_overwrite, records_eagerly


def relu(x: Tensor) -> Tensor:
    """Overwrite ``x`` with ReLU, whose derivative follows from the result."""
    return F.relu(x, inplace=True)


def relu6(x: Tensor) -> Tensor:
    """Overwrite ``x`` with ReLU6, whose derivative follows from the result."""
    if records_eagerly(x) and x.requires_grad:
        return _ReLU6.apply(x)
    return F.relu6(x, inplace=may_overwrite())


class _ReLU6(torch.autograd.Function):
    """In-place ReLU6; torch's own keeps a copy of the input."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.mark_dirty(x)
        ctx.save_for_backward(F.relu6(x, inplace=True))
        return x

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        (result,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradient, result.detach(), 0, 6)


def silu(x: Tensor) -> Tensor:
    """Return SiLU of ``x``."""
    return F.silu(x, inplace=may_overwrite())
