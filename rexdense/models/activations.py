"""Activations, which need not keep their results for the backward pass."""

import dataclasses
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from rexdense.models.recompute import FeatureMap, Recomputed, may_overwrite

__all__ = ['Activation', 'relu', 'relu6', 'scale', 'silu']


@dataclasses.dataclass(frozen=True)
class Activation:
    """An elementwise function of a tensor, or of a :class:`FeatureMap`.

    It overwrites its argument where autograd allows it.

    Args:
        function: One of ``torch.nn.functional`` that takes ``inplace``.
        overwrites: It may overwrite its argument under autograd, too.
        derived_from_result: The derivative can be told from the result as well as from the
            argument.
        costly: Its result is computed again only if ``with_cp`` asks for that.
    """

    function: Callable[..., Tensor]
    overwrites: bool = False
    derived_from_result: bool = False
    costly: bool = False

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x, inplace=self.overwrites or may_overwrite())

    def of(self, x: FeatureMap) -> FeatureMap:
        """Return the activated map."""
        kept = x.source is None
        if not x.recomputes() or (kept and self.overwrites) or (self.costly and not x.with_cp):
            return x.then(self(x.value))
        if not kept:
            return self._of_recomputed(x)
        value = self(x.value)
        node = value.grad_fn
        return x.then(value, Recomputed(lambda: self.function(node._saved_self)))

    def _of_recomputed(self, x: FeatureMap) -> FeatureMap:
        if self.derived_from_result:
            # Autograd gets the result in the argument's place, which nothing else needs.
            source = Recomputed(lambda: self.function(x.source.read(), inplace=True), x.source)
            return x.then(x.then(x.value, source).read_by(self), source)
        source = Recomputed(lambda: self.function(x.source.read()), x.source)
        return x.then(_OverwritingSiLU.apply(x.value, x.source), source)


class _OverwritingSiLU(torch.autograd.Function):
    """SiLU whose argument is recomputed, so that both passes may overwrite it.

    For large maps, fresh memory costs more time than the computation.
    """

    @staticmethod
    def forward(ctx, x: Tensor, source: Recomputed) -> Tensor:
        ctx.source = source.saved()
        ctx.mark_dirty(x)
        return F.silu(x, inplace=True)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        x = ctx.source.read()
        return torch.ops.aten.silu_backward.grad_input(gradient, x, grad_input=x), None


silu = Activation(F.silu, costly=True)
relu6 = Activation(F.relu6, derived_from_result=True)
relu = Activation(F.relu, overwrites=True, derived_from_result=True)


def scale(x: FeatureMap, gate: Tensor) -> FeatureMap:
    """Return ``x`` (N, C, H, W) times ``gate`` (N, C, 1, 1)."""
    if not x.recomputes():
        return x.then(x.value.mul_(gate) if may_overwrite() else x.value * gate)
    value = x.read_by(lambda tensor: tensor * gate)
    node = value.grad_fn
    return x.then(value, Recomputed(lambda: node._saved_self * node._saved_other, x.source))
