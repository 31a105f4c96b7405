"""U-Net decoder for the feature levels of any backbone."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rexdense.arch import FeatureLevel
from rexdense.arch.checks import (
    is_integer,
    require_norm_cfg,
    require_one_of,
    require_positive_integer,
    require_sequence,
)
from rexdense.errors import InvalidArgument
from rexdense.models.layers.convolution import ConvNorm, require_few_channels
from rexdense.models.layers.recompute import recompute, resolve_recompute
from rexdense.models.unet.blocks import DECODER_BLOCKS, build_decoder_block

SKIPS = ('sum', 'concat')


def resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """Resize a feature map (N, C, h, w) bilinearly to ``size`` (height, width)."""
    return F.interpolate(x, size=tuple(size), mode='bilinear', align_corners=False)


class DecoderStep(nn.Module):
    """A decoder step from a decoded map to the next finer level, with a skip connection.

    Args:
        skip: 'sum' adds the skip to the resized output of the block (zshn25/rexnet
            ``rexunet.py``), through a 1x1 convolution if their channels differ (as in FPN, Lin et
            al. 2017). 'concat' feeds the block with the resized map and the skip, concatenated
            (Ronneberger et al. 2015).
        block: See :func:`rexdense.models.unet.blocks.build_decoder_block`.
        out_channels: None takes the skip's number of channels.
        recompute: What the backward pass recomputes, see
            :mod:`rexdense.models.layers.recompute`.
    """

    def __init__(
        self,
        in_channels: int,
        skip_channels: int,
        block: str,
        skip: str,
        norm_cfg: dict,
        out_channels: int | None = None,
        recompute: str | None = None,
    ) -> None:
        super().__init__()
        self.skip, self.recompute = skip, recompute
        out_channels = out_channels or skip_channels
        self.lateral = None
        if skip == 'concat':
            in_channels += skip_channels
        elif out_channels != skip_channels:
            self.lateral = ConvNorm(skip_channels, out_channels, 1, norm_cfg)
        self.block = build_decoder_block(block, in_channels, out_channels, norm_cfg)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Return (N, out_channels, H, W) for ``x`` (N, in_channels, h, w) and the skip
        (N, skip_channels, H, W)."""
        if self.skip == 'concat':
            x = torch.cat((resize(x, skip.shape[2:]), skip), dim=1)
            return recompute(self.block, x, self.recompute)
        if self.lateral is not None:
            skip = self.lateral(skip)
        return resize(recompute(self.block, x, self.recompute), skip.shape[2:]) + skip

    def extra_repr(self) -> str:
        return f'skip={self.skip!r}'


class UNetDecoder(nn.Module):
    """U-Net decoder from feature levels of any sizes to logits at several strides.

    The decoder starts from the coarsest level, and each step adds the next finer one. A 3x3
    convolution on the decoded map gives the logits of its stride. The logits at stride 1 come from
    one more block on the finest map and are resized to the image. Steps finer than the finest
    output are not built.

    Args:
        feature_info: The levels from fine to coarse, in the order of forward's feature maps: a
            backbone's ``out_levels``. All five are best, ``out_indices=(0, 1, 2, 3, 4)``.
        num_classes: Channels of the logits.
        output_strides: Strides of the logits; None takes 1 and the stride of every level.
        block: 'rexnet', 'double_conv' or 'depthwise_separable', see
            :func:`rexdense.models.unet.blocks.build_decoder_block`.
        skip: 'sum' or 'concat', see :class:`DecoderStep`.
        norm_cfg: See :func:`rexdense.models.layers.normalisation.build_norm`; None means batch
            norm.
        with_cp: True means ``recompute='blocks'``, as for a backbone.
        recompute: What the backward pass recomputes to save memory: None, 'activations' (all but
            the convolutions) or 'blocks', see :mod:`rexdense.models.layers.recompute`.
        decoder_channels: Channels of the decoded maps, from coarse to fine: a number for each level
            but the coarsest, and one for stride 1. For five levels, (256, 128, 64, 32, 16) gives
            the same widths as segmentation_models.pytorch. None takes the channels of the levels,
            which makes the decoder far smaller than the backbone.

    Attributes:
        output_strides: The strides of the outputs, from fine to coarse.

    Raises:
        InvalidArgument: an argument is out of range, such as a stride that the levels lack.

    Example:
        >>> import rexdense
        >>> backbone = rexdense.create_backbone('rexnet_1.0', out_indices=(0, 1, 2, 3, 4))
        >>> UNetDecoder(backbone.out_levels, num_classes=11, output_strides=(1, 4)).output_strides
        (1, 4)
    """

    def __init__(
        self,
        feature_info: Sequence[FeatureLevel],
        num_classes: int,
        output_strides: Sequence[int] | None = None,
        block: str = 'rexnet',
        skip: str = 'sum',
        norm_cfg: dict | None = None,
        with_cp: bool = False,
        decoder_channels: Sequence[int] | None = None,
        recompute: str | None = None,
    ) -> None:
        super().__init__()
        require_positive_integer('num_classes', num_classes)
        require_one_of('skip', skip, SKIPS)
        require_one_of('block', block, DECODER_BLOCKS)
        self.recompute = resolve_recompute(with_cp, recompute)
        self.levels = _checked_levels(feature_info)
        self.output_strides = _resolve_output_strides(output_strides, self.levels)
        self.num_classes, self.block = num_classes, block
        self.norm_cfg = require_norm_cfg(norm_cfg)
        self.decoder_channels = _resolve_decoder_channels(decoder_channels, self.levels)

        *finer, coarsest = self.levels
        channels = {coarsest.stride: coarsest.channels}
        in_channels = coarsest.channels
        self.steps = nn.ModuleList()
        for level, width in zip(reversed(finer), self.decoder_channels, strict=False):
            if level.stride < self.output_strides[0]:
                break
            self.steps.append(
                DecoderStep(
                    in_channels,
                    level.channels,
                    block,
                    skip,
                    self.norm_cfg,
                    width,
                    self.recompute,
                )
            )
            in_channels = channels[level.stride] = width
        channels[1] = in_channels
        self.outputs = nn.ModuleDict(
            {
                str(stride): self.build_output(stride, channels[stride])
                for stride in self.output_strides
            }
        )

    def build_output(self, stride: int, in_channels: int) -> nn.Module:
        """Build the layers from a decoded map (N, in_channels, H, W), the finest one for stride 1,
        to logits (N, num_classes, H, W)."""
        width = in_channels if stride > 1 else self.decoder_channels[-1]
        require_few_channels(width, self.num_classes)
        conv = nn.Conv2d(width, self.num_classes, 3, padding=1)
        if stride > 1:
            return _near_zero(conv)
        block = build_decoder_block(self.block, in_channels, width, self.norm_cfg)
        return nn.Sequential(OrderedDict(block=block, conv=_near_zero(conv)))

    def forward(
        self,
        features: Sequence[Tensor],
        size: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
    ) -> dict[int, Tensor]:
        """Return the logits by stride, from fine to coarse.

        Args:
            features: A feature map (N, channels, h, w) per level of ``feature_info``.
            size: Height and width of the output at stride 1, those of the images; None takes the
                size of the finest map times its stride.
            strides: The strides of ``output_strides`` to compute; None computes all.

        Returns:
            (N, num_classes, H, W) per stride, of the same size as the level's map.

        Raises:
            InvalidArgument: the numbers of maps and levels differ.
        """
        if len(features) != len(self.levels):
            names = ', '.join(level.name for level in self.levels)
            raise InvalidArgument(
                f'UNetDecoder got {len(features)} feature maps; '
                f'it takes {len(self.levels)}: {names}'
            )
        *skips, x = features
        decoded = {self.levels[-1].stride: x}
        for step, level, skip in zip(self.steps, self.levels[-2::-1], skips[::-1], strict=False):
            decoded[level.stride] = x = step(x, skip)
        logits = {}
        for stride in self.output_strides:
            if strides is not None and stride not in strides:
                continue
            if stride == 1:
                finest = recompute(self.outputs['1'], x, self.recompute)
                logits[1] = resize(finest, size or self._image_size(features[0]))
            else:
                logits[stride] = self.outputs[str(stride)](decoded[stride])
        return logits

    def _image_size(self, finest: Tensor) -> tuple[int, int]:
        height, width = finest.shape[2:]
        return height * self.levels[0].stride, width * self.levels[0].stride


def _near_zero(conv: nn.Conv2d) -> nn.Conv2d:
    # Equal logits for all classes at the start, as in mmseg's decode heads.
    nn.init.normal_(conv.weight, std=0.01)
    nn.init.zeros_(conv.bias)
    return conv


def _checked_levels(feature_info: Sequence[FeatureLevel]) -> tuple[FeatureLevel, ...]:
    try:
        levels = tuple(FeatureLevel(*level) for level in feature_info)
    except TypeError as error:
        raise InvalidArgument(
            f'feature_info={feature_info!r}: give levels (name, channels, stride), such as '
            'out_levels of a backbone'
        ) from error
    for level in levels:
        require_positive_integer(f'feature_info with {level}: channels', level.channels)
        require_positive_integer(f'feature_info with {level}: stride', level.stride)
    strides = [level.stride for level in levels]
    if not levels or strides != sorted(strides):
        raise InvalidArgument(
            f'feature_info with strides {strides}: give at least one level, from fine to coarse, '
            'such as out_levels of a backbone with out_indices=(0, 1, 2, 3, 4)'
        )
    return levels


def _resolve_output_strides(
    wanted: Sequence[int] | None, levels: tuple[FeatureLevel, ...]
) -> tuple[int, ...]:
    allowed = sorted({1, *(level.stride for level in levels)})
    if wanted is None:
        return tuple(allowed)
    example = f'[{wanted}]' if is_integer(wanted) else '[1, 4]'
    wanted = require_sequence('output_strides', wanted, example)
    lacking = [stride for stride in wanted if not is_integer(stride) or stride not in allowed]
    if lacking or len(set(wanted)) < len(wanted):
        raise InvalidArgument(
            f'output_strides={wanted}: allowed are {", ".join(map(str, allowed))} (1 and '
            'the strides of the levels), each once'
            + (
                '; a backbone with out_indices=(0, 1, 2, 3, 4) has the most levels'
                if lacking
                else ''
            )
        )
    return tuple(sorted(map(int, wanted)))


def _resolve_decoder_channels(
    wanted: Sequence[int] | None, levels: tuple[FeatureLevel, ...]
) -> tuple[int, ...]:
    finer, name, example = levels[-2::-1], 'decoder_channels', '(256, 128, 64, 32, 16)'
    if wanted is None:
        return (*(level.channels for level in finer), levels[0].channels)
    if is_integer(wanted) or len(wanted := require_sequence(name, wanted, example)) != len(levels):
        places = ', '.join((*(level.name for level in finer), 'stride 1'))
        raise InvalidArgument(
            f'{name}={wanted!r}: give a number for each of {places} ({len(levels)})'
        )
    for width in wanted:
        require_positive_integer(name, width)
    return tuple(map(int, wanted))
