"""The U-Net of zshn25/rexnet ``rexunet.py``, and its variant for depth."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from rexdense.arch import FeatureLevel
from rexdense.arch.checks import is_integer, require_sequence
from rexdense.arch.unet import rexunet_levels
from rexdense.errors import InvalidArgument
from rexdense.mmengine_bases import BaseModule
from rexdense.models.backbones.rexnet import ReXNet
from rexdense.models.layers.activations import silu
from rexdense.models.layers.convolution import ConvNorm
from rexdense.models.unet.blocks import build_decoder_block
from rexdense.models.unet.decoder import UNetDecoder


class ReXUNetEncoder(ReXNet):
    """A ReXNet that returns the first block's output at each stride, and the last block's output.

    Raises:
        InvalidArgument: ``out_indices`` is given, which is fixed here; or as the backbone does.
    """

    def __init__(self, arch: str, **arguments: Any) -> None:
        if 'out_indices' in arguments:
            raise InvalidArgument(
                f'out_indices={arguments["out_indices"]}: ReXUNet and ReXDepth read all levels, as '
                'their reference does; UNet takes a backbone with any out_indices'
            )
        super().__init__(arch, out_indices=(4,), **arguments)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return x1 to x5 and the last block's output of images (N, in_channels, H, W)."""
        self._check_input(x)
        x = self.stem(x)
        taps = []
        for first, *later in self.stages:
            taps.append(self.run_blocks((first,), x))
            x = self.run_blocks(later, taps[-1])
        return (*taps, x)


class ReXUNetHead(UNetDecoder):
    """The bottleneck and the decoder of :class:`ReXUNet`.

    Args:
        levels: See :func:`rexdense.arch.unet.rexunet_levels`.
        in_channels: Channels of the last block's output, the input of the bottleneck.
    """

    def __init__(
        self,
        levels: Sequence[FeatureLevel],
        in_channels: int,
        norm_cfg: dict | None,
        recompute: str | None,
    ) -> None:
        super().__init__(levels, num_classes=1, norm_cfg=norm_cfg, recompute=recompute)
        # As in the classifier, so that its weights can be loaded.
        self.final = ConvNorm(in_channels, levels[-1].channels, 1, self.norm_cfg, silu)

    def build_output(self, stride: int, in_channels: int) -> nn.Module:
        if stride > 1:
            return super().build_output(stride, in_channels)
        return build_decoder_block(self.block, in_channels, 1, self.norm_cfg)

    def forward(
        self, features: Sequence[Tensor], size: Sequence[int] | None = None
    ) -> dict[int, Tensor]:
        """Return the logits by stride of x1 to x5 and the last block's output."""
        *taps, last = features
        return super().forward((*taps, self.final(last)), size)


class ReXUNet(BaseModule):
    """The U-Net of zshn25/rexnet: a ReXNet with one output channel at each of six scales.

    It reads the output of the first block of each stride, adds these to a decoder of ReXNet blocks
    without expansion, and applies a sigmoid to every output. It can load the weights of
    zshn25/rexnet. Any image size works; for multiples of 32 the outputs equal the reference. For
    other decoders, classes or backbones use :class:`~rexdense.models.unet.UNet`.

    Args:
        arch: A ReXNet or ReXNet-R; the reference is 'rexnet_1.0'.
        norm_cfg: Normalisation layers, see :func:`rexdense.models.layers.normalisation.build_norm`.
        with_cp: True means ``recompute='blocks'``, as for a backbone.
        recompute: What the backward pass recomputes, see
            :mod:`rexdense.models.layers.recompute`.
        backbone: Further arguments of :class:`~rexdense.models.ReXNet`.

    Raises:
        UnknownName, InvalidArgument: as the backbone does.

    Example:
        >>> import torch
        >>> [tuple(output.shape[2:]) for output in ReXUNet().eval()(torch.rand(1, 3, 97, 131))]
        [(97, 131), (49, 66), (25, 33), (13, 17), (7, 9), (4, 5)]
    """

    def __init__(
        self,
        arch: str = 'rexnet_1.0',
        norm_cfg: dict | None = None,
        with_cp: bool = False,
        recompute: str | None = None,
        init_cfg: dict | None = None,
        **backbone: Any,
    ) -> None:
        super().__init__(init_cfg)
        self.backbone = ReXUNetEncoder(
            arch, norm_cfg=norm_cfg, with_cp=with_cp, recompute=recompute, **backbone
        )
        self.head = ReXUNetHead(
            rexunet_levels(self.backbone.architecture),
            self.backbone.out_levels[-1].channels,
            norm_cfg,
            self.backbone.recompute,
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs at strides 1, 2, 4, 8, 16 and 32 of images (N, in_channels, H, W).

        Returns:
            (N, 1, ceil(H / stride), ceil(W / stride)) each, between 0 and 1.
        """
        logits = self.head(self.backbone(x), x.shape[2:])
        return tuple(output.sigmoid() for output in logits.values())


class ReXDepth(ReXUNet):
    """:class:`ReXUNet` for disparity, with output names for monodepth2's losses.

    It has all tensors of ReXUNet. Those that only outputs outside ``scales`` use are not trained.

    Args:
        arch: As for :class:`ReXUNet`.
        scales: Outputs to return; scale s has stride ``2 ** s``, 0 to 5.
        arguments: As for :class:`ReXUNet`.

    Raises:
            InvalidArgument: ``scales`` is empty, or has a scale outside 0 to 5.

    Example:
        >>> import torch
        >>> disparities = ReXDepth().eval()(torch.rand(1, 3, 64, 96))
        >>> {name: tuple(disparity.shape[2:]) for name, disparity in disparities.items()}
        {('disp', 0): (64, 96), ('disp', 1): (32, 48), ('disp', 2): (16, 24), ('disp', 3): (8, 12)}
    """

    def __init__(
        self, arch: str = 'rexnet_1.0', scales: Sequence[int] = (0, 1, 2, 3), **arguments: Any
    ) -> None:
        super().__init__(arch, **arguments)
        strides = self.head.output_strides
        allowed = range(len(strides))
        scales = require_sequence('scales', scales, '(0, 1, 2, 3)')
        for scale in scales:
            if not is_integer(scale) or scale not in allowed or scales.count(scale) > 1:
                raise InvalidArgument(
                    f'scales={scales!r}: give a list of at least one of 0 to {len(strides) - 1}, '
                    'each once'
                )
        self.scales = tuple(map(int, scales))
        for scale, stride in enumerate(strides):
            if scale not in self.scales:
                self.head.outputs[str(stride)].requires_grad_(False)

    def forward(self, x: Tensor) -> dict[tuple[str, int], Tensor]:
        """Return {('disp', s): (N, 1, ceil(H / 2 ** s), ceil(W / 2 ** s))} for images (N,
        in_channels, H, W)."""
        outputs = super().forward(x)
        return {('disp', scale): outputs[scale] for scale in self.scales}
