"""Rules of the U-Nets: the decoder block, and the levels of zshn25/rexnet's network."""

from types import MappingProxyType
from typing import Any, NamedTuple

from rexdense.arch.levels import Architecture, FeatureLevel
from rexdense.arch.rexnet import InvertedBottleneckSpec, ReXNetRule


class StandardUNet(NamedTuple):
    """A backbone and a decoder whose size the zoo measures.

    Attributes:
        decoder: Arguments of :class:`rexdense.models.unet.UNetDecoder` that differ from its
            defaults.
    """

    backbone: str
    decoder: dict[str, Any]


_WIDE = dict(block='double_conv', skip='concat', decoder_channels=(256, 128, 64, 32, 16))

STANDARD_UNETS = MappingProxyType(
    {
        **{
            f'unet_{backbone}': StandardUNet(backbone, {})
            for backbone in (
                'rexnet_1.0',
                'rexnet_1.3',
                'rexnet_2.0',
                'rexnet_lite_1.0',
                'rexnetr_1.0',
                'regnetx_800mf',
                'regnety_800mf',
                'resnext50_32x4d',
            )
        },
        'unet_rexnet_1.0_depthwise_separable': StandardUNet(
            'rexnet_1.0', dict(block='depthwise_separable')
        ),
        'unet_rexnet_1.0_double_conv': StandardUNet('rexnet_1.0', dict(block='double_conv')),
        'unet_rexnet_1.0_wide': StandardUNet('rexnet_1.0', _WIDE),
    }
)
"""U-Nets by name. 'wide' has the widths of segmentation_models.pytorch's decoder."""


def decoder_block(in_channels: int, out_channels: int) -> InvertedBottleneckSpec:
    """Return a ReXNet block with stride 1 and without expansion.

    Squeeze-excitation and shortcut are as in the encoder. Below 12 channels, which ReXNet itself
    does not have, there is one squeezed channel (zshn25/rexnet ``rexunet.py``).

    Example:
        >>> decoder_block(140, 72).squeeze_channels
        11
    """
    return InvertedBottleneckSpec(
        in_channels=in_channels,
        hidden_channels=in_channels,
        out_channels=out_channels,
        stride=1,
        squeeze_channels=max(1, int(in_channels * ReXNetRule.se_ratio)),
        shortcut=in_channels <= out_channels,
    )


def rexunet_levels(architecture: Architecture) -> tuple[FeatureLevel, ...]:
    """Return the levels that the decoder of ReXUNet reads, from fine to coarse.

    x1 to x5 are the outputs of the first block at each stride. The bottleneck is the output of the
    1x1 convolution after the last block (zshn25/rexnet ``rexunet.py``).

    Args:
        architecture: A ReXNet or ReXNet-R.

    Example:
        >>> from rexdense.arch import architecture
        >>> [level.channels for level in rexunet_levels(architecture('rexnet_1.0'))]
        [16, 27, 50, 72, 140, 1280]
    """
    levels = architecture.levels
    taps = [
        FeatureLevel(f'x{number}', blocks[0].out_channels, level.stride)
        for number, (blocks, level) in enumerate(
            zip(architecture.stages, levels, strict=True), start=1
        )
    ]
    bottleneck = FeatureLevel('bottleneck', architecture.classifier_widths[0], levels[-1].stride)
    return (*taps, bottleneck)
