"""Layers that every family is made of: normalised convolutions, squeeze-excitation, drop path."""

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rexdense.errors import InvalidArgument, suggest

__all__ = ['ConvNorm', 'DropPath', 'PooledBatchNorm', 'SqueezeExcitation', 'build_norm', 'relu', 'relu6', 'silu']

MINIMUM_POOLED_BATCH = 16


def silu(x: Tensor) -> Tensor:
    """SiLU; in place where autograd keeps nothing (under autograd the in-place form saves a copy of its input)."""
    return F.silu(x, inplace=not torch.is_grad_enabled())


# The backward passes of these two read their result, so in place is right under autograd too.
relu = functools.partial(F.relu, inplace=True)
relu6 = functools.partial(F.relu6, inplace=True)


class PooledBatchNorm(nn.BatchNorm2d):
    """Batch normalisation of globally pooled values (N, C, 1, 1) that stays meaningful for small batches.

    Such a layer sees N values a channel. Below ``MINIMUM_POOLED_BATCH`` images their mean and variance are noise
    (for one image torch refuses to train), so a smaller training batch is normalised with the running
    statistics, which it leaves unchanged. Evaluation and larger batches are those of ``nn.BatchNorm2d``.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.shape[0] < MINIMUM_POOLED_BATCH:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


def _largest_divisor(channels: int, limit: int) -> int:
    return next(groups for groups in range(min(limit, channels), 0, -1) if channels % groups == 0)


def _group_norm(channels: int, pooled: bool, num_groups: int = 32, **options: Any) -> nn.Module:
    # A pooled map has one value a channel: only all channels together can be normalised.
    return nn.GroupNorm(1 if pooled else _largest_divisor(channels, num_groups), channels, **options)


def _batch_norm(channels: int, pooled: bool, **options: Any) -> nn.Module:
    return (PooledBatchNorm if pooled else nn.BatchNorm2d)(channels, **options)


def _sync_batch_norm(channels: int, pooled: bool, **options: Any) -> nn.Module:
    return nn.SyncBatchNorm(channels, **options)


NORMS: dict[str, Callable[..., nn.Module]] = {
    'BN': _batch_norm,
    'SyncBN': _sync_batch_norm,
    'GN': _group_norm,
}


def build_norm(norm_cfg: dict, channels: int, pooled: bool = False) -> nn.Module:
    """Return a normalisation layer for ``channels`` channels.

    Args:
        norm_cfg: ``type`` is 'BN', 'SyncBN' or 'GN'; ``requires_grad`` (True) says whether scale and shift train;
            the rest goes to the layer. GN's ``num_groups`` (32) is lowered to the nearest divisor of the channels,
            which here are seldom multiples of 32.
        pooled: The layer sees (N, C, 1, 1).

    Raises:
        InvalidArgument: an unknown ``type``, or an option that the layer does not take.
    """
    options = dict(norm_cfg)
    kind = options.pop('type', None)
    requires_grad = options.pop('requires_grad', True)
    if kind not in NORMS:
        raise InvalidArgument(f'norm_cfg type {kind!r}: {suggest(str(kind), NORMS)}')
    try:
        norm = NORMS[kind](channels, pooled, **options)
    except TypeError as error:
        raise InvalidArgument(f'norm_cfg={norm_cfg}: {error}') from error
    norm.requires_grad_(requires_grad)
    return norm


class ConvNorm(nn.Module):
    """A convolution without bias, its normalisation and an activation.

    The padding keeps the size at stride 1; at stride 2 it gives ceil(size / 2).

    Args:
        activation: Applied to the normalised output; None leaves it linear.
    """

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
        padding = dilation * (kernel_size - 1) // 2
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups=groups, bias=False
        )
        self.norm = build_norm(norm_cfg, out_channels)
        self.activation = activation

    def finish(self, x: Tensor) -> Tensor:
        """Normalise and activate the convolution's output (N, C, H, W)."""
        x = self.norm(x)
        return x if self.activation is None else self.activation(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.finish(self.conv(x))


class SqueezeExcitation(nn.Module):
    """Scale each channel by a gate computed from the global means (Hu et al. 2018).

    Args:
        squeeze_channels: Channels between the two 1x1 convolutions.
        norm_cfg: Normalisation after the first one (ReXNet has one, RegNet none).
    """

    def __init__(self, channels: int, squeeze_channels: int, norm_cfg: dict | None = None) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeeze_channels, 1)
        self.norm = build_norm(norm_cfg, squeeze_channels, pooled=True) if norm_cfg else nn.Identity()
        self.expand = nn.Conv2d(squeeze_channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.expand(relu(self.norm(self.reduce(x.mean((2, 3), keepdim=True))))).sigmoid()
        return x * gate if torch.is_grad_enabled() else x.mul_(gate)


class DropPath(nn.Module):
    """Drop a residual branch for whole images while training (stochastic depth, Huang et al. 2016).

    Args:
        rate: Share of images whose branch is dropped; the kept ones are divided by ``1 - rate``.
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
    """Return the rate of each block: from 0 at the first, linearly, to ``highest`` at the last.

    Raises:
        InvalidArgument: ``highest`` is not in [0, 1).
    """
    if not 0 <= highest < 1:
        raise InvalidArgument(f'drop_path_rate={highest!r}: allowed are 0 (off) up to, not including, 1')
    return [highest * index / max(blocks - 1, 1) for index in range(blocks)]


def reset_convolutions(module: nn.Module) -> None:
    """Draw the weights of all convolutions below ``module``: normal, variance 2 / fan-out of one group; biases 0.

    Source: He et al. 2015, eq. 14, with the fan-out taken per group, so that a depthwise layer does not start near 0.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            fan_out = layer.out_channels * math.prod(layer.kernel_size) // layer.groups
            nn.init.normal_(layer.weight, 0.0, math.sqrt(2.0 / fan_out))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
