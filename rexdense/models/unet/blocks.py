"""Blocks for a U-Net decoder."""

from torch import nn

from rexdense.arch.checks import require_one_of
from rexdense.arch.unet import decoder_block
from rexdense.models.backbones.rexnet import InvertedBottleneck
from rexdense.models.layers.activations import relu
from rexdense.models.layers.convolution import ConvNorm


def _rexnet(in_channels: int, out_channels: int, norm_cfg: dict) -> nn.Module:
    return InvertedBottleneck(decoder_block(in_channels, out_channels), norm_cfg)


def _double_conv(in_channels: int, out_channels: int, norm_cfg: dict) -> nn.Module:
    return nn.Sequential(
        ConvNorm(in_channels, out_channels, 3, norm_cfg, relu),
        ConvNorm(out_channels, out_channels, 3, norm_cfg, relu),
    )


def _depthwise_separable(in_channels: int, out_channels: int, norm_cfg: dict) -> nn.Module:
    return nn.Sequential(
        ConvNorm(in_channels, in_channels, 3, norm_cfg, relu, groups=in_channels),
        ConvNorm(in_channels, out_channels, 1, norm_cfg, relu),
    )


DECODER_BLOCKS = {
    'rexnet': _rexnet,
    'double_conv': _double_conv,
    'depthwise_separable': _depthwise_separable,
}


def build_decoder_block(
    name: str, in_channels: int, out_channels: int, norm_cfg: dict
) -> nn.Module:
    """Return a block from (N, in_channels, H, W) to (N, out_channels, H, W).

    Args:
        name: 'rexnet', which ends in a linear layer, see :func:`rexdense.arch.unet.decoder_block`;
            'double_conv', two 3x3 convolutions (Ronneberger et al. 2015, with normalisation); or
            'depthwise_separable', a 3x3 depthwise convolution and a 1x1 convolution. The last two
            have a ReLU after each layer.
        norm_cfg: See :func:`rexdense.models.layers.normalisation.build_norm`.

    Raises:
        InvalidArgument: no block is called ``name``.
    """
    require_one_of('block', name, DECODER_BLOCKS)
    return DECODER_BLOCKS[name](in_channels, out_channels, norm_cfg)
