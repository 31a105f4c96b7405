"""Convolutions that add a shortcut and apply their activation while the output is in the cache.

oneDNN does this in one pass over the feature map. It needs the weights in its own blocked layout.
torch would reorder them in each pass; here they are reordered once. torch.compile generates the
same operators (torch/_inductor, mkldnn_fusion.py), but eager torch does not use them.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rexdense.deploy.optimization.declared import declared

# By the function's name: oneDNN's name, its bounds, and torch's function.
_ACTIVATIONS = {
    None: ('none', [], lambda x: x),
    'relu': ('relu', [], F.relu),
    'relu6': ('hardtanh', [0, 6], F.relu6),
    'silu': ('swish', [], F.silu),
}
# The activations that oneDNN can apply to a sum.
_OF_SUMS = {None: None, 'relu': 'relu'}
_OWN = 'rexdense.models.layers.activations'


class FusedConv2d(nn.Conv2d):
    """A convolution, followed by the sum with an optional shortcut and an activation.

    If autograd, a tracer or a compiler records it, and on devices other than a CPU, the steps run
    separately.

    Attributes:
        activation: Name of the activation; None means none.
    """

    activation: str | None = None
    _packed: tuple[Tensor, int | None, Tensor] | None = None

    def forward(self, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
        """Return the layer's output for a feature map (N, C, H, W).

        Args:
            shortcut: A map of the output's shape, which is added before the activation.
        """
        name, bounds, function = _ACTIVATIONS[self.activation]
        fuses_sum = shortcut is None or self.activation in _OF_SUMS
        if not (fuses_sum and self.can_fuse(x)):
            out = super().forward(x)
            return function(out if shortcut is None else out.add_(shortcut))
        # Packed weights do not determine the layout of the output.
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
        """Return the weight in oneDNN's layout for maps like ``x``; other maps work, too. It is
        packed again if the weight has changed. Changes through ``.data`` are not noticed, because
        torch does not count them."""
        weight, held = self.weight, self._packed
        if held is None or not _is_as_it_was(weight, *held[:2]):
            # Holding the tensor keeps its memory from being reused for another weight. torch does
            # not count changes of inference tensors, so they are copied.
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
        # Tensors in oneDNN's layout cannot be pickled.
        return {name: value for name, value in super().__getstate__().items() if name != '_packed'}

    def can_fuse(self, x: Tensor) -> bool:
        """Return whether one oneDNN operator can compute this map, and nothing records it."""
        # First, because compilers and tracers cannot follow the checks of the processor.
        if torch.compiler.is_compiling() or torch.jit.is_tracing():
            return False
        return (
            type(x) is Tensor
            and x.device.type == 'cpu'
            and x.dtype == self.weight.dtype
            and x.dim() == 4
            and x.shape[1] == self.in_channels  # torch has the better error message
            and x.numel() > 0
            and (x.dtype == torch.float32 or _is_supported_bfloat16(x.dtype))
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


def _is_supported_bfloat16(dtype: torch.dtype) -> bool:
    return dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def fuse_activation(conv: nn.Module, activation: Callable | None) -> bool:
    """Let a convolution apply an activation of rexdense; return whether it can.

    Args:
        activation: The activation; None means none.
    """
    # Modules and partial functions have no __name__.
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
    """Turn all convolutions into :class:`FusedConv2d`. In residual blocks with a ``summing_layer``,
    this layer also adds the shortcut and applies the ReLU after it.

    Args:
        network: A network with folded batch norms.
    """
    for module in network.modules():
        name = declared(module, 'summing_layer')
        layer = None if name is None else getattr(module, name)
        if layer is not None and is_folded(layer) and layer.conv.activation is None:
            layer.conv.activation, module.sums_in_conv = 'relu', True
    for module in network.modules():
        fuse_activation(module, None)


def is_folded(layer: nn.Module) -> bool:
    """Return whether a layer is only its convolution, with the activation fused."""
    if declared(layer, 'conv_norm_pairs') != (('conv', 'norm', 'activation'),):
        return False
    folded = type(layer.conv) is FusedConv2d and type(layer.norm) is nn.Identity
    return folded and layer.activation is None
