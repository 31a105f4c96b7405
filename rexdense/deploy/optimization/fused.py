"""Convolutions that apply their activation while the output is still in the processor's cache.

oneDNN does both in one pass over the map; torch compiles to the same operator (torch/_inductor,
mkldnn_fusion.py), but does not use it by itself.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ['FusedConv2d', 'fuse_activation']

# By the name of the function: oneDNN's name, its bounds, and torch's function.
_ACTIVATIONS = {
    None: ('none', [], lambda x: x),
    'relu': ('relu', [], F.relu),
    'relu6': ('hardtanh', [0, 6], F.relu6),
    'silu': ('swish', [], F.silu),
}
_OWN = 'rexdense.models.layers.activations'


class FusedConv2d(nn.Conv2d):
    """A convolution and its activation.

    Where autograd, a tracer or a compiler looks on, and on other devices than a CPU, it computes
    them one after the other.

    Attributes:
        activation: Name of the activation; None is linear.
    """

    activation: str | None = None

    def forward(self, x: Tensor) -> Tensor:
        name, bounds, function = _ACTIVATIONS[self.activation]
        if not self._can_fuse(x):
            return function(super().forward(x))
        sizes = (self.padding, self.stride, self.dilation, self.groups)
        return torch.ops.mkldnn._convolution_pointwise(
            x, self.weight, self.bias, *sizes, name, bounds, ''
        )

    def _can_fuse(self, x: Tensor) -> bool:
        return (
            type(x) is Tensor
            and x.device.type == 'cpu'
            and x.dtype == self.weight.dtype
            and x.dim() == 4
            and x.numel() > 0
            and (x.dtype == torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported())
            and not torch.is_grad_enabled()
            and not torch.is_autocast_enabled('cpu')
            and not torch.compiler.is_compiling()
            and not torch.jit.is_tracing()
            and not torch._C._are_functorch_transforms_active()
            and torch.backends.mkldnn.enabled
        )

    def extra_repr(self) -> str:
        return f'{super().extra_repr()}, activation={self.activation}'


def fuse_activation(conv: nn.Module, activation: Callable | None) -> bool:
    """Let a convolution apply an activation of rexdense; return whether it does.

    Args:
        activation: None leaves the output as it is.
    """
    name = None if activation is None else activation.__name__
    known = name is None or (activation.__module__ == _OWN and name in _ACTIVATIONS)
    if (
        not known
        or type(conv) is not nn.Conv2d
        or conv.padding_mode != 'zeros'
        or isinstance(conv.padding, str)
        or conv.weight.dtype not in (torch.float32, torch.bfloat16)
        or not torch.backends.mkldnn.is_available()
        or not hasattr(torch.ops.mkldnn, '_convolution_pointwise')
    ):
        return False
    conv.__class__ = FusedConv2d
    conv.activation = name
    return True
