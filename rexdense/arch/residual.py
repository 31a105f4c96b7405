"""Rules of RegNetX, RegNetY and ResNeXt: stages of bottlenecks with grouped 3x3 convolutions."""

import dataclasses
import math
from collections.abc import Sequence
from itertools import groupby

from rexdense.arch.checks import (
    is_integer,
    require_few_blocks,
    require_one_of,
    require_positive,
    require_positive_integer,
    require_ratio,
)
from rexdense.arch.levels import Architecture, BlockSpec, MaxPoolSpec, group_by_level
from rexdense.arch.rounding import make_divisible
from rexdense.errors import InvalidArgument

STAGES = 4
REGNET_STEM_CHANNELS = 32
REGNET_WIDTH_STEP = 8
RESNEXT_STEM_CHANNELS = 64
RESNEXT_WIDTHS = (64, 128, 256, 512)
RESNEXT_EXPANSION = 4
RESNEXT_DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
GROUP_ROUNDINGS = ('nearest', 'torchvision')


@dataclasses.dataclass(frozen=True)
class BottleneckSpec:
    """A residual block: 1x1, grouped 3x3 with the stride, 1x1, then the shortcut.

    ``squeeze_channels`` 0 means no squeeze-excitation. ``downsample`` means a 1x1 convolution in
    the shortcut.

    Raises:
        InvalidArgument: the groups do not divide the channels of the 3x3 convolution.
    """

    in_channels: int
    hidden_channels: int
    out_channels: int
    stride: int
    groups: int
    squeeze_channels: int
    downsample: bool
    dilation: int = 1

    def __post_init__(self):
        if self.hidden_channels % self.groups:
            raise InvalidArgument(
                f'{self.groups} groups do not divide the {self.hidden_channels} channels of the '
                '3x3 convolution; choose a divisor'
            )


@dataclasses.dataclass(frozen=True)
class RegNetRule:
    """RegNetX, and with ``se_ratio`` RegNetY (Radosavovic et al. 2020, "Designing Network Design
    Spaces", section 3.3; pycls ``models/regnet.py``).

    Block j of ``depth`` gets the width ``w_0 + w_a * j``, rounded to the nearest power of ``w_m``
    times ``w_0``, then to a multiple of 8. Blocks of the same width form a stage. The stage's width
    is rounded to a multiple of the group width. A group width above the stage's width is lowered to
    it. RegNetY has a squeeze-excitation after the 3x3 convolution, with a quarter of the channels
    of the block's input.

    Args:
        w_0: Width at the start of the line, a multiple of 8.
        w_a: Slope of the line, in channels per block.
        w_m: Ratio of the widths of neighbouring stages, above 1.
        depth: Number of blocks.
        group_width: Channels of one group of the 3x3 convolutions.
        se_ratio: Squeezed channels over the channels of the block's input; 0 builds no
            squeeze-excitation.
        group_rounding: How to round a width to a multiple of the group width: 'nearest' as in pycls
            and timm; 'torchvision' never reduces it by more than 10 %, which makes three of the
            published networks wider (torchvision ``models/regnet.py``).

    Raises:
        InvalidArgument: an argument is out of range, or the arguments do not give four stages.
    """

    w_0: int
    w_a: float
    w_m: float
    depth: int
    group_width: int
    se_ratio: float = 0.0
    group_rounding: str = 'nearest'
    family = 'regnet'

    def __post_init__(self):
        for name in ('w_0', 'depth', 'group_width'):
            require_positive_integer(name, getattr(self, name))
        require_few_blocks('depth', self.depth, self.depth)
        for name in ('w_a', 'w_m'):
            require_positive(name, getattr(self, name))
        require_ratio('se_ratio', self.se_ratio)
        if self.w_0 % REGNET_WIDTH_STEP:
            raise InvalidArgument(f'w_0={self.w_0}: give a multiple of {REGNET_WIDTH_STEP}')
        if not self.w_m > 1:
            raise InvalidArgument(f'w_m={self.w_m!r}: give a number above 1')
        require_one_of('group_rounding', self.group_rounding, GROUP_ROUNDINGS)

    def build(self) -> Architecture:
        """Return the network of this rule."""
        blocks: list[BlockSpec] = []
        in_channels = REGNET_STEM_CHANNELS
        for quantised, depth in self._stages():
            group_width = min(self.group_width, quantised)
            width = self._round_to_groups(quantised, group_width)
            for index in range(depth):
                blocks.append(
                    BottleneckSpec(
                        in_channels=in_channels,
                        hidden_channels=width,
                        out_channels=width,
                        stride=1 if index else 2,
                        groups=width // group_width,
                        squeeze_channels=self._squeeze_channels(in_channels),
                        downsample=index == 0,
                    )
                )
                in_channels = width
        return Architecture(self.family, REGNET_STEM_CHANNELS, group_by_level(blocks))

    def _stages(self) -> list[tuple[int, int]]:
        """Return (width before rounding to groups, number of blocks) of each stage."""
        widths = []
        for index in range(self.depth):
            exponent = round(math.log1p(self.w_a * index / self.w_0) / math.log(self.w_m))
            width = self.w_0 * self.w_m**exponent
            widths.append(round(width / REGNET_WIDTH_STEP) * REGNET_WIDTH_STEP)
        stages = [(width, len(list(blocks))) for width, blocks in groupby(widths)]
        if len(stages) != STAGES:
            raise InvalidArgument(
                f'w_0={self.w_0}, w_a={self.w_a}, w_m={self.w_m}, depth={self.depth} give '
                f'{len(stages)} stages, of widths {", ".join(str(width) for width, _ in stages)}; '
                f'{STAGES} are needed: '
                + ('raise w_a or depth' if len(stages) < STAGES else 'raise w_m or lower depth')
            )
        return stages

    def _squeeze_channels(self, in_channels: int) -> int:
        return max(1, round(in_channels * self.se_ratio)) if self.se_ratio else 0

    def _round_to_groups(self, width: int, group_width: int) -> int:
        if self.group_rounding == 'torchvision':
            return make_divisible(width, group_width)
        return round(width / group_width) * group_width


@dataclasses.dataclass(frozen=True)
class ResNeXtRule:
    """ResNeXt (Xie et al. 2017, "Aggregated Residual Transformations for Deep Neural Networks",
    table 1), with the stride on the 3x3 convolution as in torchvision ``models/resnet.py``.

    The 3x3 convolutions of the first stage have ``groups`` times ``base_width`` channels. Each
    later stage has twice as many.

    Args:
        depth: 50, 101 or 152.
        groups: Groups of the 3x3 convolutions (the paper's cardinality).
        base_width: Channels of a group in the first stage.
        pool_padding: Padding of the max-pooling. 'symmetric' pads by 1 on every side. MindCV's
            'same' pads an even size by 1 only below and on the right.

    Raises:
        InvalidArgument: an argument is out of range.
    """

    depth: int = 50
    groups: int = 32
    base_width: int = 4
    pool_padding: str = 'symmetric'
    family = 'resnext'

    def __post_init__(self):
        if not is_integer(self.depth) or self.depth not in RESNEXT_DEPTHS:
            allowed = ', '.join(map(str, RESNEXT_DEPTHS))
            raise InvalidArgument(f'depth={self.depth!r}: allowed are {allowed}')
        require_positive_integer('groups', self.groups)
        require_positive_integer('base_width', self.base_width)
        self._max_pool()  # checks the padding

    def _max_pool(self) -> MaxPoolSpec:
        return MaxPoolSpec(RESNEXT_STEM_CHANNELS, self.pool_padding)

    def build(self) -> Architecture:
        """Return the network of this rule."""
        in_channels = RESNEXT_STEM_CHANNELS
        blocks: list[BlockSpec] = [self._max_pool()]
        depths: Sequence[int] = RESNEXT_DEPTHS[self.depth]
        for stage, (width, depth) in enumerate(zip(RESNEXT_WIDTHS, depths, strict=True)):
            out_channels = width * RESNEXT_EXPANSION
            for index in range(depth):
                blocks.append(
                    BottleneckSpec(
                        in_channels=in_channels,
                        hidden_channels=width * self.base_width // RESNEXT_WIDTHS[0] * self.groups,
                        out_channels=out_channels,
                        stride=2 if stage and not index else 1,
                        groups=self.groups,
                        squeeze_channels=0,
                        downsample=index == 0,
                    )
                )
                in_channels = out_channels
        return Architecture(self.family, RESNEXT_STEM_CHANNELS, group_by_level(blocks))
