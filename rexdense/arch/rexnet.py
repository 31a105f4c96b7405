"""Rules of ReXNet, ReXNet-R and ReXNet-lite.

Source: Han et al. 2021, "Rethinking Channel Dimensions for Efficient Model Design". The figures are
those of clovaai/rexnet ``rexnetv1.py`` and ``rexnetv1_lite.py``. ReXNet-R rounds to multiples of 8
(3.0: of 16), as timm's ``rexnetr_*``.
"""

import dataclasses
import math
from typing import ClassVar

from rexdense.arch.checks import (
    require_few_blocks,
    require_positive,
    require_positive_integer,
    require_ratio,
)
from rexdense.arch.levels import Architecture, BlockSpec, group_by_level
from rexdense.arch.rounding import make_divisible

STAGE_DEPTHS = (1, 2, 2, 3, 3, 5)
STAGE_STRIDES = (1, 2, 2, 2, 1, 2)
UNSQUEEZED_STAGES = 2
EXPANSION = 6
FIRST_CHANNELS = 16
STEM_CHANNELS = 32
FINAL_CHANNELS = 1280


@dataclasses.dataclass(frozen=True)
class InvertedBottleneckSpec:
    """A block: 1x1 expansion, 3x3 depthwise, squeeze-excitation, 1x1 projection.

    ``squeeze_channels`` 0 means no squeeze-excitation. ``hidden_channels == in_channels`` means no
    expansion.
    """

    in_channels: int
    hidden_channels: int
    out_channels: int
    stride: int
    squeeze_channels: int
    shortcut: bool
    dilation: int = 1


def _stage_layout(depth_mult: float) -> list[tuple[int, int]]:
    """Return (stage, stride) of every block."""
    return [
        (stage, stride if index == 0 else 1)
        for stage, (depth, stride) in enumerate(zip(STAGE_DEPTHS, STAGE_STRIDES, strict=True))
        for index in range(math.ceil(depth * depth_mult))
    ]


@dataclasses.dataclass(frozen=True)
class _WidthRule:
    """Base of the rules of ReXNet and ReXNet-lite: channels grow linearly with the block index."""

    family: ClassVar[str]
    width_mult: float = 1.0
    depth_mult: float = 1.0
    se_ratio: float = 1 / 12
    channel_divisor: int = 1

    def __post_init__(self):
        require_positive('width_mult', self.width_mult)
        require_positive('depth_mult', self.depth_mult)
        require_few_blocks('depth_mult', self.depth_mult, self.depth_mult * sum(STAGE_DEPTHS))
        require_ratio('se_ratio', self.se_ratio)
        require_positive_integer('channel_divisor', self.channel_divisor)

    def _scaled(self, channels: float) -> int:
        return make_divisible(round(channels * self.width_mult), self.channel_divisor)

    def _unscaled_if_narrow(self, channels: int) -> float:
        """Undo a ``width_mult`` below 1: the stem and the first block are as wide as at 1.0."""
        return channels / self.width_mult if self.width_mult < 1 else channels

    def _block(
        self, stage: int, stride: int, in_channels: int, out_channels: int
    ) -> InvertedBottleneckSpec:
        hidden_channels, squeeze_channels = in_channels, 0
        if stage > 0:
            hidden_channels = make_divisible(in_channels * EXPANSION, self.channel_divisor)
        if stage >= UNSQUEEZED_STAGES and self.se_ratio > 0:
            squeezed = int(hidden_channels * self.se_ratio)
            squeeze_channels = make_divisible(squeezed, self.channel_divisor)
        return InvertedBottleneckSpec(
            in_channels=in_channels,
            hidden_channels=hidden_channels,
            out_channels=out_channels,
            stride=stride,
            squeeze_channels=squeeze_channels,
            shortcut=stride == 1 and in_channels <= out_channels,
        )

    def _build(
        self, increment_of, final_channels: int, hidden_widths: tuple[int, ...]
    ) -> Architecture:
        layout = _stage_layout(self.depth_mult)
        in_channels = stem_channels = self._scaled(self._unscaled_if_narrow(STEM_CHANNELS))
        channels, increment = self._unscaled_if_narrow(FIRST_CHANNELS), increment_of(len(layout))
        blocks: list[BlockSpec] = []
        for stage, stride in layout:
            out_channels = self._scaled(channels)
            blocks.append(self._block(stage, stride, in_channels, out_channels))
            # Repeated addition, as in the reference: a product rounds some channels differently.
            channels += increment
            in_channels = out_channels
        return Architecture(
            family=self.family,
            stem_channels=stem_channels,
            stages=group_by_level(blocks),
            classifier_widths=(final_channels, *hidden_widths),
        )


@dataclasses.dataclass(frozen=True)
class ReXNetRule(_WidthRule):
    """The rule of ReXNet and, with ``channel_divisor=8``, of ReXNet-R.

    Block i of b has ``round((16 + i * 180 / b) * width_mult)`` channels (section 4). The last four
    of the six stages have squeeze-excitation.

    Args:
        width_mult: Factor on every channel count.
        depth_mult: Factor on the number of blocks of each stage, rounded up.
        se_ratio: Squeezed channels over the channels of the depthwise convolution; 0 builds no
            squeeze-excitation.
        channel_divisor: Every channel count is rounded to a multiple of this.

    Raises:
        InvalidArgument: a factor or divisor is not positive, or ``se_ratio`` is not from 0 to 1.
    """

    family = 'rexnet'
    channel_growth = 180

    def build(self) -> Architecture:
        """Return the network of this rule."""
        final_channels = make_divisible(int(FINAL_CHANNELS * self.width_mult), self.channel_divisor)
        return self._build(lambda blocks: self.channel_growth / blocks, final_channels, ())


@dataclasses.dataclass(frozen=True)
class ReXNetLiteRule(_WidthRule):
    """The rule of ReXNet-lite: no squeeze-excitation, channels in multiples of 8.

    Block i of b has ``(16 + i * 164 / (b - 1)) * width_mult`` channels, rounded. The arguments are
    those of :class:`ReXNetRule`, with other defaults.
    """

    se_ratio: float = 0.0
    channel_divisor: int = 8
    family = 'rexnet_lite'
    channel_growth = 164

    def build(self) -> Architecture:
        """Return the network of this rule."""
        final_channels = int(FINAL_CHANNELS * max(self.width_mult, 1))
        return self._build(
            lambda blocks: self.channel_growth / (blocks - 1), final_channels, (1024,)
        )
