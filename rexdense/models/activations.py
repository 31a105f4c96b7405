"""Activations, which need not keep their results for the backward pass."""

import dataclasses
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from rexdense.models.recompute import FeatureMap, Recomputed

__all__ = ['Activation', 'relu', 'relu6', 'scale', 'silu']


@dataclasses.dataclass(frozen=True)
class Activation:
    """An elementwise function of a tensor, or of a :class:`FeatureMap`.

    It overwrites its argument where autograd allows it.

    Args:
        function: One of ``torch.nn.functional`` that takes ``inplace``.
        saves_result: Its backward pass reads the result, not the argument.
    """

    function: Callable[..., Tensor]
    saves_result: bool = False

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x, inplace=self.saves_result or not torch.is_grad_enabled())

    def of(self, x: FeatureMap) -> FeatureMap:
        """Return the activated map."""
        if not x.recomputes():
            return x.then(self(x.value))
        if self.saves_result:
            return self._of_overwritten(x)
        value = x.read_by(self.function)
        node = value.grad_fn
        return x.then(value, Recomputed(lambda: self.function(node._saved_self), x.source))

    def _of_overwritten(self, x: FeatureMap) -> FeatureMap:
        if x.source is None:
            return x.then(self(x.value))
        source = Recomputed(lambda: self.function(x.source.read(), inplace=True), x.source)
        return x.then(x.then(x.value, source).read_by(self), source)


silu = Activation(F.silu)
relu6 = Activation(F.relu6)
relu = Activation(F.relu, saves_result=True)


def scale(x: FeatureMap, gate: Tensor) -> FeatureMap:
    """Return ``x`` (N, C, H, W) times ``gate`` (N, C, 1, 1)."""
    if not x.recomputes():
        return x.then(x.value * gate if torch.is_grad_enabled() else x.value.mul_(gate))
    value = x.read_by(lambda tensor: tensor * gate)
    node = value.grad_fn
    return x.then(value, Recomputed(lambda: node._saved_self * node._saved_other, x.source))
