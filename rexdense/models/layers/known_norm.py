"""Batch norms with known statistics, whose output can be recomputed."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode


def norm_silu(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Return ``silu(norm(x))``, for which autograd keeps ``x`` but not ``norm(x)``.

    Call it only if :func:`~rexdense.models.layers.recording.records_eagerly` is true.
    """
    return _NormSiLU.apply(norm, x, norm.weight, norm.bias)


class BatchStatistics(TorchFunctionMode):
    """Records the batch mean and 1 / standard deviation of a batch norm, if it uses them.

    Attributes:
        found: The two tensors, or an empty tuple.
    """

    found: tuple[Tensor, ...] = ()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is F.batch_norm:
            return self._batch_norm(*args, **kwargs or {})
        return function(*args, **kwargs or {})

    def _batch_norm(
        self, x, mean, variance, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
    ) -> Tensor:
        if not training or x.numel() == x.shape[1]:  # F.batch_norm raises for the latter
            return F.batch_norm(x, mean, variance, weight, bias, training, momentum, eps)
        output, *self.found = torch.native_batch_norm(
            x, weight, bias, mean, variance, training, momentum, eps
        )
        return output


def takes_statistics(norm: nn.BatchNorm2d) -> bool:
    return norm.training or norm.running_mean is None


def gradients_of(
    run: Callable[..., Tensor],
    tensors: Sequence[Tensor | None],
    needed: Sequence[bool],
    gradient: Tensor,
    twice: bool,
) -> list[Tensor | None]:
    """Return the gradients of ``run(*tensors)``; ``twice`` makes them differentiable."""
    with torch.enable_grad():
        # Aliases, so that a path from one of the tensors to another does not count.
        inputs = [
            tensor
            if tensor is None
            else tensor.view_as(tensor)
            if twice
            else tensor.detach().requires_grad_(need)
            for tensor, need in zip(tensors, needed, strict=True)
        ]
        output = run(*inputs)
    wanted = [tensor for tensor, need in zip(inputs, needed, strict=True) if need]
    found = iter(
        torch.autograd.grad(output, wanted, gradient, create_graph=twice, allow_unused=True)
    )
    return [next(found) if need else None for need in needed]


class KnownConvNorm(torch.autograd.Function):
    """A convolution with a stored output, its batch norm, and optionally SiLU.

    The backward pass can run only once: it overwrites the stored tensors, because for large maps
    new memory costs more time than the computation.
    """

    @staticmethod
    def forward(ctx, geometry, eps, training, silu, output, first, second, x, kernel, weight, bias):
        ctx.geometry, ctx.eps, ctx.training = geometry, eps, training
        normalised = _normalised(output, weight, bias, first, second, training, eps)
        # The dtypes that autocast chose.
        x, kernel = x.to(output.dtype), kernel.to(output.dtype)
        kept = normalised if silu else None
        ctx.save_for_backward(x, kernel, output, weight, first, second, kept)
        return F.silu(normalised) if silu else normalised

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        x, kernel, output, weight, first, second, normalised = ctx.saved_tensors
        if normalised is not None:
            gradient = _silu_backward(gradient, normalised)
        needed = ctx.needs_input_grad[7:]
        gradient, *affine = _norm_backward(
            gradient, output, weight, first, second, ctx.training, ctx.eps, (True, *needed[2:])
        )
        *sizes, groups = ctx.geometry
        of_x, of_kernel, _ = torch.ops.aten.convolution_backward(
            gradient, x, kernel, None, *sizes, False, [0, 0], groups, (*needed[:2], False)
        )
        return None, None, None, None, None, None, None, of_x, of_kernel, *affine


class _NormSiLU(torch.autograd.Function):
    """SiLU of a batch norm. It overwrites the norm's output, which is recomputed."""

    @staticmethod
    def forward(ctx, norm, x, weight, bias):
        ctx.training, ctx.eps = takes_statistics(norm), norm.eps
        with BatchStatistics() as statistics:
            output = norm(x)
        # Copies: forward passes in training change these tensors, unseen by autograd.
        found = statistics.found or (norm.running_mean.clone(), norm.running_var.clone())
        ctx.save_for_backward(x, weight, bias, *found)
        return F.silu(output, inplace=True)

    @staticmethod
    def backward(ctx, gradient):
        *inputs, first, second = ctx.saved_tensors
        needed = ctx.needs_input_grad[1:]
        if torch.is_grad_enabled():

            def run(*inputs: Tensor) -> Tensor:
                statistics = (None, None) if ctx.training else (first, second)
                x, *affine = inputs
                return F.silu(F.batch_norm(x, *statistics, *affine, ctx.training, 0.0, ctx.eps))

            return None, *gradients_of(run, inputs, needed, gradient, twice=True)
        x, weight, bias = inputs
        output = _normalised(x, weight, bias, first, second, ctx.training, ctx.eps)
        return None, *_norm_backward(
            _silu_backward(gradient, output),
            x,
            weight,
            first,
            second,
            ctx.training,
            ctx.eps,
            needed,
        )


def _normalised(x, weight, bias, first, second, training: bool, eps: float) -> Tensor:
    """Return the batch norm of ``x`` from the batch's mean and 1 / standard deviation, or from
    running statistics."""
    if training:
        second, eps = second.pow(-2), 0.0
    return F.batch_norm(x, first, second, weight, bias, eps=eps)


def _norm_backward(gradient, x, weight, first, second, training: bool, eps: float, needed):
    statistics = (None, None, first, second) if training else (first, second, None, None)
    return torch.ops.aten.native_batch_norm_backward(
        gradient, x, weight, *statistics, training, eps, needed
    )


def _silu_backward(gradient: Tensor, x: Tensor) -> Tensor:
    """Return the gradient of SiLU's input, written over the input."""
    return torch.ops.aten.silu_backward.grad_input(gradient, x, grad_input=x)
