"""The blocks that a U-Net decoder can be made of."""

from torch import Tensor, nn

from rexdense.arch.unet import decoder_block
from rexdense.errors import InvalidArgument, suggest
from rexdense.models.activations import relu
from rexdense.models.layers import ConvNorm
from rexdense.models.recompute import FeatureMap
from rexdense.models.rexnet import InvertedBottleneck

__all__ = ['DECODER_BLOCKS', 'Chain', 'build_decoder_block']


class Chain(nn.Sequential):
    """Normalised convolutions, one after the other.

    Args:
        with_cp: What the backward pass computes again, see :mod:`rexdense.models.recompute`.
    """

    def __init__(self, *layers: ConvNorm, with_cp: bool | str = False) -> None:
        super().__init__(*layers)
        self.with_cp = with_cp

    def forward(self, x: Tensor) -> Tensor:
        feature_map = FeatureMap(x, self.with_cp)
        for layer in self:
            feature_map = layer.of(feature_map)
        return feature_map.value


def _rexnet(
    in_channels: int, out_channels: int, norm_cfg: dict, with_cp: bool | str
) -> InvertedBottleneck:
    return InvertedBottleneck(decoder_block(in_channels, out_channels), norm_cfg, with_cp=with_cp)


def _double_conv(in_channels: int, out_channels: int, norm_cfg: dict, with_cp: bool | str) -> Chain:
    return Chain(
        ConvNorm(in_channels, out_channels, 3, norm_cfg, relu),
        ConvNorm(out_channels, out_channels, 3, norm_cfg, relu),
        with_cp=with_cp,
    )


def _depthwise_separable(
    in_channels: int, out_channels: int, norm_cfg: dict, with_cp: bool | str
) -> Chain:
    return Chain(
        ConvNorm(in_channels, in_channels, 3, norm_cfg, relu, groups=in_channels),
        ConvNorm(in_channels, out_channels, 1, norm_cfg, relu),
        with_cp=with_cp,
    )


DECODER_BLOCKS = {
    'rexnet': _rexnet,
    'double_conv': _double_conv,
    'depthwise_separable': _depthwise_separable,
}


def build_decoder_block(
    name: str, in_channels: int, out_channels: int, norm_cfg: dict, with_cp: bool | str = False
) -> nn.Module:
    """Return a block from (N, in_channels, H, W) to (N, out_channels, H, W).

    Args:
        name: 'rexnet', see :func:`rexdense.arch.unet.decoder_block`, which ends in a linear layer;
            'double_conv', two 3x3 convolutions (Ronneberger et al. 2015, with normalisation); or
            'depthwise_separable', a 3x3 depthwise convolution and a 1x1 convolution. The last two
            have a ReLU after each layer.
        norm_cfg: See :func:`rexdense.models.normalisation.build_norm`.
        with_cp: What the backward pass computes again, see :mod:`rexdense.models.recompute`.

    Raises:
        InvalidArgument: no block is called ``name``.
    """
    if name not in DECODER_BLOCKS:
        raise InvalidArgument(f'block={name!r}: {suggest(name, DECODER_BLOCKS)}')
    return DECODER_BLOCKS[name](in_channels, out_channels, norm_cfg, with_cp)
