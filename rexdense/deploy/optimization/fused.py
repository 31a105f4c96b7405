"""Convolutions that add a shortcut and apply their activation while the output is in the cache.

oneDNN does it all in one pass over the map. It computes with weights in blocks of its own, which
torch makes anew at each pass; here they are made once. torch compiles to the same operators
(torch/_inductor, mkldnn_fusion.py), but does not use them by itself.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rexdense.deploy.optimization.declared import declared

# By the name of the function: oneDNN's name, its bounds, and torch's function.
_ACTIVATIONS = {
    None: ('none', [], lambda x: x),
    'relu': ('relu', [], F.relu),
    'relu6': ('hardtanh', [0, 6], F.relu6),
    'silu': ('swish', [], F.silu),
}
# What oneDNN applies to a sum, by the same names.
_OF_SUMS = {None: None, 'relu': 'relu'}
_OWN = 'rexdense.models.layers.activations'


class FusedConv2d(nn.Conv2d):
    """A convolution, the sum with a shortcut where one is given, and an activation.

    Where autograd, a tracer or a compiler looks on, and on other devices than a CPU, it computes
    them one after the other.

    Attributes:
        activation: Name of the activation; None is linear.
    """

    activation: str | None = None
    _packed: tuple[Tensor, int | None, Tensor] | None = None

    def forward(self, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        """Return the layer's output for a map (N, C, H, W).

        Args:
            shortcut: A map of the output's shape, added before the activation.
        """
        name, bounds, function = _ACTIVATIONS[self.activation]
        fuses_sum = shortcut is None or self.activation in _OF_SUMS
        if not (fuses_sum and self.can_fuse(x)):
            out = super().forward(x)
            return function(out if shortcut is None else out.add_(shortcut))
        # Packed weights do not say in which layout the output is wanted.
        x = x.contiguous(memory_format=torch.channels_last)
        weight = self._packed_weight(x)
        sizes = (self.padding, self.stride, self.dilation, self.groups)
        if shortcut is None:
            return torch.ops.mkldnn._convolution_pointwise(
                x, weight, self.bias, *sizes, name, bounds, ''
            )
        return torch.ops.mkldnn._convolution_pointwise.binary(
            x, shortcut, weight, self.bias, *sizes, 'add', 1.0, _OF_SUMS[self.activation], [], ''
        )

    def _packed_weight(self, x: Tensor) -> Tensor:
        """Return the weight in oneDNN's blocks, for maps like ``x``; others may go in, too. It is
        packed again when the weight has changed, but for changes through ``.data``, which torch
        counts nowhere."""
        weight, held = self.weight, self._packed
        if held is None or not _is_as_it_was(weight, *held[:2]):
            # The memory that is held is given to no other weight. Of inference tensors torch counts
            # no changes.
            counted = not weight.is_inference()
            before = weight.detach() if counted else weight.clone()
            packed = torch._C._nn.mkldnn_reorder_conv2d_weight(
                weight.detach().to_mkldnn(),
                self.padding,
                self.stride,
                self.dilation,
                self.groups,
                list(x.shape),
            )
            self._packed = held = before, weight._version if counted else None, packed
        return held[2]

    def _apply(self, *arguments: Any, **options: Any) -> nn.Module:
        self._packed = None
        return super()._apply(*arguments, **options)

    def __getstate__(self) -> dict[str, Any]:
        # Tensors in oneDNN's blocks cannot be pickled.
        return {name: value for name, value in super().__getstate__().items() if name != '_packed'}

    def can_fuse(self, x: Tensor) -> bool:
        """Return whether a map goes through one operator of oneDNN, seen by nobody."""
        # First: neither a compiler nor a tracer follows the look at the processor.
        if torch.compiler.is_compiling() or torch.jit.is_tracing():
            return False
        return (
            type(x) is Tensor
            and x.device.type == 'cpu'
            and x.dtype == self.weight.dtype
            and x.dim() == 4
            and x.shape[1] == self.in_channels  # what is wrong with others torch tells better
            and x.numel() > 0
            and (x.dtype == torch.float32 or _is_bfloat16_that_can_be(x.dtype))
            and not torch.is_grad_enabled()
            and not torch.is_autocast_enabled('cpu')
            and not torch._C._are_functorch_transforms_active()
            and torch.backends.mkldnn.enabled
        )

    def extra_repr(self) -> str:
        return f'{super().extra_repr()}, activation={self.activation}'


def _is_as_it_was(weight: Tensor, before: Tensor, version: int | None) -> bool:
    if weight.is_inference():
        return version is None and weight.dtype == before.dtype and torch.equal(weight, before)
    return weight.data_ptr() == before.data_ptr() and weight._version == version


def _is_bfloat16_that_can_be(dtype: torch.dtype) -> bool:
    return dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def fuse_activation(conv: nn.Module, activation: Callable | None) -> bool:
    """Let a convolution apply an activation of rexdense; return whether it does.

    Args:
        activation: None leaves the output as it is.
    """
    # Modules, and functions with arguments bound, have no name of their own.
    kind = type(activation).__name__
    name = None if activation is None else getattr(activation, '__name__', kind)
    known = name is None or (activation.__module__ == _OWN and name in _ACTIVATIONS)
    if (
        not known
        or type(conv) is not nn.Conv2d
        or conv.padding_mode != 'zeros'
        or isinstance(conv.padding, str)
        or conv.weight.dtype not in (torch.float32, torch.bfloat16)
        or not torch.backends.mkldnn.is_available()
        or not hasattr(torch.ops.mkldnn, '_convolution_pointwise')
        or not hasattr(torch._C._nn, 'mkldnn_reorder_conv2d_weight')
    ):
        return False
    conv.__class__ = FusedConv2d
    conv.activation = name
    return True


def fuse_convolutions(network: nn.Module) -> None:
    """Let all convolutions compute as :class:`FusedConv2d` does; the last ones of residual blocks,
    which name that layer as ``summing_layer``, add the shortcut and apply the ReLU after it.

    Args:
        network: Its batch norms are folded.
    """
    for module in network.modules():
        name = declared(module, 'summing_layer')
        layer = None if name is None else getattr(module, name)
        if layer is not None and is_folded(layer) and layer.conv.activation is None:
            layer.conv.activation, module.sums_in_conv = 'relu', True
    for module in network.modules():
        fuse_activation(module, None)


def is_folded(layer: nn.Module) -> bool:
    """Return whether a layer is its convolution, with the activation in it, and nothing else."""
    if declared(layer, 'conv_norm_pairs') != (('conv', 'norm', 'activation'),):
        return False
    folded = type(layer.conv) is FusedConv2d and type(layer.norm) is nn.Identity
    return folded and layer.activation is None
