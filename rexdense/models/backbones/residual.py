"""RegNetX, RegNetY and ResNeXt (Radosavovic et al. 2020; Xie et al. 2017)."""

import dataclasses

from torch import Tensor, nn

from rexdense.arch.residual import BottleneckSpec, RegNetRule, ResNeXtRule
from rexdense.models.backbones.backbone import Backbone
from rexdense.models.layers.activations import relu
from rexdense.models.layers.convolution import ConvNorm, DropPath, SqueezeExcitation
from rexdense.registry import MODELS


class Bottleneck(nn.Module):
    """Bottleneck block: 1x1, grouped 3x3 with the stride, squeeze-excitation, 1x1, shortcut, ReLU.

    The last normalisation starts with scale 0, so that a new block returns its shortcut (Goyal et
    al. 2017, section 5.1; pycls ``ZERO_INIT_FINAL_GAMMA``).

    Args:
        drop_path_rate: See :class:`~rexdense.models.layers.convolution.DropPath`.

    Attributes:
        local_layers: See :class:`~rexdense.models.backbones.rexnet.InvertedBottleneck`.
        summing_layer: Name of the layer whose output is added to the shortcut and then passed to
            ReLU; None if another module comes between the two.
        sums_in_conv: Whether the convolution of that layer also adds the shortcut and applies ReLU.
            :func:`rexdense.deploy.optimize` sets it.
    """

    local_layers = ('conv1', 'conv2')
    sums_in_conv = False

    def __init__(self, spec: BottleneckSpec, norm_cfg: dict, drop_path_rate: float = 0.0) -> None:
        super().__init__()
        hidden = spec.hidden_channels
        self.conv1 = ConvNorm(spec.in_channels, hidden, 1, norm_cfg, relu)
        self.conv2 = ConvNorm(
            hidden, hidden, 3, norm_cfg, relu, spec.stride, spec.dilation, spec.groups
        )
        self.squeeze_excitation = (
            SqueezeExcitation(hidden, spec.squeeze_channels) if spec.squeeze_channels else None
        )
        self.conv3 = ConvNorm(hidden, spec.out_channels, 1, norm_cfg)
        self.downsample = (
            ConvNorm(spec.in_channels, spec.out_channels, 1, norm_cfg, stride=spec.stride)
            if spec.downsample
            else None
        )
        self.drop_path = DropPath(drop_path_rate)
        scale = self.conv3.norm.weight
        if scale is not None and scale.requires_grad:
            nn.init.zeros_(scale)

    @property
    def summing_layer(self) -> str | None:
        # Fusion would skip a module between the convolution and the sum.
        return 'conv3' if type(self.drop_path) is DropPath else None

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.conv2(self.conv1(x))
        if self.squeeze_excitation is not None:
            hidden = self.squeeze_excitation(hidden)
        shortcut = x if self.downsample is None else self.downsample(x)
        if self.sums_in_conv:
            return self.conv3.conv(hidden, shortcut)
        return relu(self.drop_path(self.conv3(hidden)).add_(shortcut))


class _Residual(Backbone):
    """Base of RegNet and ResNeXt: a stem with ReLU, and bottleneck blocks."""

    stem_kernel_size: int

    def build_stem(self, in_channels: int, out_channels: int, norm_cfg: dict) -> nn.Module:
        return ConvNorm(in_channels, out_channels, self.stem_kernel_size, norm_cfg, relu, stride=2)

    def build_block(self, spec: BottleneckSpec, norm_cfg: dict, drop_path_rate: float) -> nn.Module:
        return Bottleneck(spec, norm_cfg, drop_path_rate)


@MODELS.register_module()
class RegNet(_Residual):
    """RegNetX and RegNetY, built by :class:`~rexdense.arch.residual.RegNetRule`.

    It accepts the arguments of the rule and of
    :class:`~rexdense.models.backbones.backbone.Backbone`. c1 is the stem's output.

    Example:
        >>> import torch
        >>> from rexdense.models import RegNet
        >>> backbone = RegNet('regnety_400mf').eval()
        >>> for level in backbone(torch.rand(1, 3, 224, 320)):
        ...     print(tuple(level.shape))
        (1, 48, 56, 80)
        (1, 104, 28, 40)
        (1, 208, 14, 20)
        (1, 440, 7, 10)
    """

    rule = RegNetRule
    stem_kernel_size = 3


@MODELS.register_module()
class ResNeXt(_Residual):
    """ResNeXt, built by :class:`~rexdense.arch.residual.ResNeXtRule`.

    It accepts the arguments of the rule and of
    :class:`~rexdense.models.backbones.backbone.Backbone`. c1 is the stem's output, before the
    max-pooling.

    Attributes:
        pool_padding: Padding of the max-pooling, 'symmetric' or MindCV's 'same'; it can be set on
            an existing network.

    Example:
        >>> import torch
        >>> from rexdense.models import ResNeXt
        >>> backbone = ResNeXt('resnext50_32x4d', output_stride=16).eval()
        >>> for level in backbone(torch.rand(1, 3, 97, 131)):
        ...     print(tuple(level.shape))
        (1, 256, 25, 33)
        (1, 512, 13, 17)
        (1, 1024, 7, 9)
        (1, 2048, 7, 9)
    """

    rule = ResNeXtRule
    stem_kernel_size = 7

    @property
    def pool_padding(self) -> str:
        return self.architecture.stages[1][0].padding

    @pool_padding.setter
    def pool_padding(self, padding: str) -> None:
        stem_stage, (pool, *blocks), *deeper = self.architecture.stages
        stage = (dataclasses.replace(pool, padding=padding), *blocks)
        self.architecture = dataclasses.replace(
            self.architecture, stages=(stem_stage, stage, *deeper)
        )
        if len(self.stages) > 1:
            self.stages[1][0].padding = padding
