"""Layers that all families share: normalised convolutions, squeeze-excitation, drop path."""

import math
from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from rexdense.arch.checks import require_ratio
from rexdense.errors import InvalidArgument
from rexdense.models.layers.activations import relu
from rexdense.models.layers.normalisation import build_norm, normalise, normalise_pooled
from rexdense.models.layers.recompute import is_taped, taped
from rexdense.models.layers.recording import may_overwrite

MOST_CHANNELS = 2**28
"""Largest number of channels of a convolution: torch counts the bytes of its weights in 64 bits."""


class _DrawnConv2d(nn.Conv2d):
    def reset_parameters(self) -> None:
        draw(self)


def convolution(in_channels: int, out_channels: int, *arguments: Any, **options: Any) -> nn.Conv2d:
    """Return an ``nn.Conv2d`` with weights initialised by :func:`draw`.

    torch's own initialisation would be overwritten. It takes a third of the construction time, and
    it makes the random weights of a layer depend on the number of layers after it.

    Raises:
        InvalidArgument: there are more than :data:`MOST_CHANNELS` channels.
    """
    require_few_channels(in_channels, out_channels)
    layer = _DrawnConv2d(in_channels, out_channels, *arguments, **options)
    layer.__class__ = nn.Conv2d
    return layer


def require_few_channels(in_channels: int, out_channels: int) -> None:
    """Raise InvalidArgument if a convolution would have more than :data:`MOST_CHANNELS`
    channels."""
    if max(in_channels, out_channels) > MOST_CHANNELS:
        raise InvalidArgument(
            f'a convolution of {in_channels} to {out_channels} channels has more than '
            f'{MOST_CHANNELS}: give smaller widths, or fewer in_channels or classes'
        )


class ConvNorm(nn.Module):
    """A convolution without bias, its normalisation and an activation.

    The padding keeps the size at stride 1. At stride 2 the output size is ceil(size / 2).

    Args:
        norm_cfg: See :func:`rexdense.models.layers.normalisation.build_norm`.
        activation: Applied to the normalised output; None leaves it linear.

    Attributes:
        conv_norm_pairs: Names of a convolution, of the norm that is the only reader of its output
            and, if there is one, of the activation after it. :func:`rexdense.deploy.optimize` fuses
            them.
    """

    conv_norm_pairs = (('conv', 'norm', 'activation'),)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        norm_cfg: dict,
        activation: Callable[[Tensor], Tensor] | None = None,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.conv = convolution(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding=dilation * (kernel_size - 1) // 2,
            dilation=dilation,
            groups=groups,
            bias=False,
        )
        self.norm = build_norm(norm_cfg, out_channels)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output for a feature map (N, in_channels, H, W)."""
        if is_taped():
            return taped(self.conv, self.norm, self.activation, x)
        return normalise(self.norm, self.conv(x), self.activation, source=self.conv)

    def extra_repr(self) -> str:
        return '' if self.activation is None else f'activation={self.activation.__name__}'


class GlobalMean(nn.Module):
    """The means (N, C, 1, 1) of a map (N, C, H, W).

    Attributes:
        computes: What it does, by which :func:`rexdense.deploy.optimize` does it faster.
    """

    computes = 'global mean'

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True)


class SqueezeExcitation(nn.Module):
    """Scale each channel by a gate computed from the global means (Hu et al. 2018).

    Args:
        squeeze_channels: Channels between the two 1x1 convolutions.
        norm_cfg: Normalisation after the first one (ReXNet has it, RegNet does not).
    """

    conv_norm_pairs = (('reduce', 'norm'),)

    def __init__(self, channels: int, squeeze_channels: int, norm_cfg: dict | None = None) -> None:
        super().__init__()
        self.squeeze = GlobalMean()
        self.reduce = convolution(channels, squeeze_channels, 1)
        self.norm = build_norm(norm_cfg, squeeze_channels, pooled=True) if norm_cfg else None
        self.expand = convolution(squeeze_channels, channels, 1)

    def gate(self, x: Tensor) -> Tensor:
        """Return the factors (N, C, 1, 1), from 0 to 1, for a map (N, C, H, W)."""
        squeezed = self.reduce(self.squeeze(x))
        if self.norm is not None:
            squeezed = normalise_pooled(self.norm, squeezed)
        return self.expand(relu(squeezed)).sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Return the scaled map; ``x`` is overwritten if autograd keeps nothing."""
        gate = self.gate(x)
        return x.mul_(gate) if may_overwrite() else x * gate


class MaxPool(nn.Module):
    """3x3 max-pooling with stride 2. The output size is ceil(size / 2).

    Args:
        padding: 'symmetric' pads by 1 on every side. MindSpore's 'same' pads an even size by 1 only
            below and on the right; for an odd size both are equal.
    """

    def __init__(self, padding: str = 'symmetric') -> None:
        super().__init__()
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        if self.padding == 'symmetric':
            return F.max_pool2d(x, 3, stride=2, padding=1)
        height, width = x.shape[2:]
        left, top = width % 2, height % 2
        return F.max_pool2d(F.pad(x, (left, 1, top, 1), value=-math.inf), 3, stride=2)

    def extra_repr(self) -> str:
        return f'padding={self.padding!r}'


class DropPath(nn.Module):
    """Drop a residual branch for whole images in training (stochastic depth, Huang et al. 2016).

    Args:
        rate: Share of images whose branch is dropped; the other branches are divided by
            ``1 - rate``.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        keep = x.new_empty((x.shape[0], 1, 1, 1)).bernoulli_(1 - self.rate)
        return x * keep.div_(1 - self.rate)

    def extra_repr(self) -> str:
        return f'rate={self.rate:g}'


def drop_path_rates(highest: float, blocks: int) -> list[float]:
    """Return the rate of each block, which rises linearly from 0 to ``highest`` at the last.

    Raises:
        InvalidArgument: ``highest`` is not in [0, 1).

    Example:
        >>> drop_path_rates(0.5, 3)
        [0.0, 0.25, 0.5]
    """
    require_ratio('drop_path_rate', highest, below_one=True)
    return [float(highest) * index / max(blocks - 1, 1) for index in range(blocks)]


def draw(layer: nn.Conv2d) -> None:
    """Initialise a convolution: normal weights of variance 2 / fan-out, and a bias of 0.

    Source: He et al. 2015, equation 14, with the fan-out of one group, so that the weights of a
    depthwise layer do not start near 0.
    """
    # Meta tensors have nothing to fill, and torch takes a millisecond per layer to find out.
    if layer.weight.is_meta:
        return
    fan_out = layer.out_channels * math.prod(layer.kernel_size) // layer.groups
    nn.init.normal_(layer.weight, 0.0, math.sqrt(2.0 / fan_out))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
