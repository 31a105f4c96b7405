"""ReXNet, ReXNet-R and ReXNet-lite (Han et al. 2021; clovaai/rexnet, timm)."""

import torch
from torch import Tensor, nn

from rexdense.arch.rexnet import InvertedBottleneckSpec
from rexdense.models.backbone import Backbone
from rexdense.models.layers import ConvNorm, DropPath, SqueezeExcitation, relu6, silu
from rexdense.models.recompute import recompute
from rexdense.registry import MODELS

__all__ = ['InvertedBottleneck', 'ReXNet', 'ReXNetLite']


def add_to_first_channels(x: Tensor, shortcut: Tensor) -> Tensor:
    """Return ``x`` (N, C, H, W) with ``shortcut`` (N, c <= C, H, W) added to its first c channels.

    In place where autograd and tracing allow it: a slice written in place exports badly (clovaai/rexnet issue 15).
    """
    channels = shortcut.shape[1]
    if channels == x.shape[1]:
        return x + shortcut if torch.is_grad_enabled() else x.add_(shortcut)
    if torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.jit.is_tracing():
        return torch.cat((x[:, :channels] + shortcut, x[:, channels:]), dim=1)
    x[:, :channels] += shortcut
    return x


class InvertedBottleneck(nn.Module):
    """1x1 expansion, 3x3 depthwise convolution, squeeze-excitation, 1x1 projection, partial shortcut.

    Args:
        lite: ReXNet-lite's activations: ReLU6 after the expansion and, before the squeeze-excitation, after the
            depthwise convolution; ReXNet has SiLU after the expansion and ReLU6 after the squeeze-excitation.
        recompute_activations: Keep the outputs of the convolutions only, for the backward pass.
    """

    def __init__(
        self,
        spec: InvertedBottleneckSpec,
        norm_cfg: dict,
        lite: bool = False,
        drop_path_rate: float = 0.0,
        recompute_activations: bool = False,
    ) -> None:
        super().__init__()
        hidden = spec.hidden_channels
        self.expand = (
            ConvNorm(spec.in_channels, hidden, 1, norm_cfg, relu6 if lite else silu)
            if hidden != spec.in_channels
            else None
        )
        self.depthwise = ConvNorm(
            hidden, hidden, 3, norm_cfg, relu6 if lite else None, spec.stride, spec.dilation, groups=hidden
        )
        self.squeeze_excitation = (
            SqueezeExcitation(hidden, spec.squeeze_channels, norm_cfg) if spec.squeeze_channels else None
        )
        self.project = ConvNorm(hidden, spec.out_channels, 1, norm_cfg)
        self.shortcut, self.lite = spec.shortcut, lite
        self.drop_path = DropPath(drop_path_rate if spec.shortcut else 0.0)
        self.recompute_activations = recompute_activations

    def forward(self, x: Tensor) -> Tensor:
        if self.expand is None:
            hidden = self.depthwise.conv(x)
        else:
            hidden = self._run(self._expansion_to_depthwise, self.expand.conv(x))
        out = self.project.finish(self._run(self._depthwise_to_projection, hidden))
        return add_to_first_channels(self.drop_path(out), x) if self.shortcut else out

    def _run(self, function, x: Tensor) -> Tensor:
        return recompute(function, self, x) if self.recompute_activations and self.training else function(x)

    def _expansion_to_depthwise(self, x: Tensor) -> Tensor:
        return self.depthwise.conv(self.expand.finish(x))

    def _depthwise_to_projection(self, x: Tensor) -> Tensor:
        x = self.depthwise.finish(x)
        if self.squeeze_excitation is not None:
            x = self.squeeze_excitation(x)
        return self.project.conv(x if self.lite else relu6(x))


@MODELS.register_module()
class ReXNet(Backbone):
    """ReXNet and ReXNet-R: inverted bottlenecks whose channels grow linearly with the block index.

    Block i of b has ``round((16 + i * 180 / b) * width_mult)`` channels (Han et al. 2021, section 4; clovaai/rexnet
    ``rexnetv1.py``); squeeze-excitation from the third of six stages on. ReXNet-R rounds all counts to multiples
    of 8 (timm ``rexnetr_*``). Further arguments: those of :class:`~rexdense.models.backbone.Backbone` and of
    :class:`~rexdense.arch.rexnet.ReXNetRule`.

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

    family = 'rexnet'
    lite = False

    def build_stem(self, in_channels: int, out_channels: int, norm_cfg: dict) -> nn.Module:
        return ConvNorm(in_channels, out_channels, 3, norm_cfg, relu6 if self.lite else silu, stride=2)

    def build_block(
        self, spec: InvertedBottleneckSpec, norm_cfg: dict, drop_path_rate: float, recompute_activations: bool
    ) -> nn.Module:
        return InvertedBottleneck(spec, norm_cfg, self.lite, drop_path_rate, recompute_activations)


@MODELS.register_module()
class ReXNetLite(ReXNet):
    """ReXNet-lite: no squeeze-excitation, ReLU6 throughout, channels in multiples of 8.

    The rule is clovaai/rexnet ``rexnetv1_lite.py``'s. Arguments as for :class:`ReXNet`.

    Example:
        >>> import torch
        >>> from rexdense.models import ReXNetLite
        >>> backbone = ReXNetLite('rexnet_lite_1.0', out_indices=(2, 4)).eval()
        >>> [tuple(level.shape) for level in backbone(torch.rand(1, 3, 97, 131))]
        [(1, 64, 13, 17), (1, 184, 4, 5)]
    """

    family = 'rexnet_lite'
    lite = True
