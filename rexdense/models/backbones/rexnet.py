"""ReXNet, ReXNet-R and ReXNet-lite (Han et al. 2021; clovaai/rexnet, timm)."""

import torch
from torch import Tensor, nn

from rexdense.arch.rexnet import InvertedBottleneckSpec, ReXNetLiteRule, ReXNetRule
from rexdense.models.backbones.backbone import Backbone
from rexdense.models.layers.activations import relu6, silu
from rexdense.models.layers.convolution import ConvNorm, DropPath, SqueezeExcitation
from rexdense.models.layers.recording import may_overwrite
from rexdense.registry import MODELS


def add_to_first_channels(x: Tensor, shortcut: Tensor, channels: int) -> Tensor:
    """Return ``x`` (N, C, H, W) with ``shortcut`` (N, channels, H, W) added to its first channels.

    ``x`` is overwritten only if autograd and tracing allow it: writing into a slice in place
    exports badly (clovaai/rexnet issue 15).
    """
    if may_overwrite():
        x[:, :channels].add_(shortcut)
        return x
    return torch.cat((x[:, :channels] + shortcut, x[:, channels:]), dim=1)


class InvertedBottleneck(nn.Module):
    """Inverted bottleneck: 1x1 expansion, 3x3 depthwise, squeeze-excitation, 1x1 projection,
    partial shortcut.

    Args:
        lite: Use the activations of ReXNet-lite: ReLU6 after the expansion and after the depthwise
            convolution (before the squeeze-excitation). ReXNet has SiLU after the expansion and
            ReLU6 after the squeeze-excitation.
        drop_path_rate: See :class:`~rexdense.models.layers.convolution.DropPath`.

    Attributes:
        local_layers: Names of the layers of which a few output rows depend on only a few input
            rows. :func:`rexdense.deploy.optimize` computes them in strips.
    """

    def __init__(
        self,
        spec: InvertedBottleneckSpec,
        norm_cfg: dict,
        lite: bool = False,
        drop_path_rate: float = 0.0,
    ) -> None:
        super().__init__()
        hidden = spec.hidden_channels
        self.expand = (
            ConvNorm(spec.in_channels, hidden, 1, norm_cfg, relu6 if lite else silu)
            if hidden != spec.in_channels
            else None
        )
        self.depthwise = ConvNorm(
            hidden,
            hidden,
            3,
            norm_cfg,
            relu6 if lite or not spec.squeeze_channels else None,
            spec.stride,
            spec.dilation,
            groups=hidden,
        )
        self.squeeze_excitation = (
            SqueezeExcitation(hidden, spec.squeeze_channels, norm_cfg)
            if spec.squeeze_channels
            else None
        )
        self.project = ConvNorm(hidden, spec.out_channels, 1, norm_cfg)
        self.drop_path = DropPath(drop_path_rate if spec.shortcut else 0.0)
        self.shortcut, self.lite = spec.shortcut, lite
        self.in_channels, self.out_channels = spec.in_channels, spec.out_channels

    @property
    def local_layers(self) -> tuple[str, ...]:
        if self.expand is None:
            return ()
        narrow = ('project',) if self.squeeze_excitation is None else ()
        return ('expand', 'depthwise', *narrow)

    def forward(self, x: Tensor) -> Tensor:
        hidden = x if self.expand is None else self.expand(x)
        hidden = self.depthwise(hidden)
        if self.squeeze_excitation is not None:
            hidden = self.squeeze_excitation(hidden)
            if not self.lite:
                hidden = relu6(hidden)
        out = self.project(hidden)
        if not self.shortcut:
            return out
        out = self.drop_path(out)
        if self.in_channels == self.out_channels:
            return out.add_(x)
        return add_to_first_channels(out, x, self.in_channels)


@MODELS.register_module()
class ReXNet(Backbone):
    """ReXNet and ReXNet-R, built by :class:`~rexdense.arch.rexnet.ReXNetRule`.

    It accepts the arguments of the rule and of
    :class:`~rexdense.models.backbones.backbone.Backbone`.

    Example:
        >>> import torch
        >>> from rexdense.models import ReXNet
        >>> backbone = ReXNet('rexnet_1.0').eval()
        >>> for level in backbone(torch.rand(1, 3, 224, 320)):
        ...     print(tuple(level.shape))
        (1, 38, 56, 80)
        (1, 61, 28, 40)
        (1, 128, 14, 20)
        (1, 185, 7, 10)
    """

    rule = ReXNetRule
    lite = False

    def build_stem(self, in_channels: int, out_channels: int, norm_cfg: dict) -> nn.Module:
        return ConvNorm(
            in_channels, out_channels, 3, norm_cfg, relu6 if self.lite else silu, stride=2
        )

    def build_block(
        self, spec: InvertedBottleneckSpec, norm_cfg: dict, drop_path_rate: float
    ) -> nn.Module:
        return InvertedBottleneck(spec, norm_cfg, self.lite, drop_path_rate)


@MODELS.register_module()
class ReXNetLite(ReXNet):
    """ReXNet-lite, built by :class:`~rexdense.arch.rexnet.ReXNetLiteRule`, with ReLU6 throughout.

    It accepts the arguments of the rule and of
    :class:`~rexdense.models.backbones.backbone.Backbone`.

    Example:
        >>> import torch
        >>> from rexdense.models import ReXNetLite
        >>> backbone = ReXNetLite('rexnet_lite_1.0', out_indices=(2, 4)).eval()
        >>> [tuple(level.shape) for level in backbone(torch.rand(1, 3, 97, 131))]
        [(1, 64, 13, 17), (1, 184, 4, 5)]
    """

    rule = ReXNetLiteRule
    lite = True
