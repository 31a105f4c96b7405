"""A U-Net: a backbone and a decoder in one module."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from rexdense.arch import list_backbones
from rexdense.arch.checks import is_integer, require_known
from rexdense.arch.unet import STANDARD_UNETS, StandardUNet
from rexdense.errors import InvalidArgument, UnknownName, suggest
from rexdense.mmengine_bases import BaseModule
from rexdense.models.backbones.backbone import Backbone
from rexdense.models.creation import backbone_class, create_backbone
from rexdense.models.unet.decoder import UNetDecoder

ALL_LEVELS = (0, 1, 2, 3, 4)
# Arguments that create_unet passes to both the backbone and the decoder.
_SHARED = ('norm_cfg', 'recompute', 'with_cp')


class UNet(BaseModule):
    """A backbone with a U-Net decoder.

    The tensors of the backbone keep their names, with the prefix ``backbone.``, so
    ``load_weights(unet, checkpoint, backbone_only=True)`` loads them from a classifier.

    Args:
        backbone: Backbone whose ``out_indices`` select the levels that the decoder reads.
        num_classes: Channels of the logits.
        output_strides: A single stride, such as 1, returns one tensor. A list returns a dict by
            stride; 'all' or None means 1 and the strides of all levels.
        decoder: Further arguments of :class:`~rexdense.models.unet.UNetDecoder`.

    Raises:
        InvalidArgument: as for :class:`~rexdense.models.unet.UNetDecoder`.

    Example:
        >>> import torch
        >>> from rexdense import create_backbone
        >>> backbone = create_backbone('rexnet_1.0', out_indices=(0, 1, 2, 3, 4))
        >>> unet = UNet(backbone, num_classes=11, output_strides=(1, 2, 32)).eval()
        >>> for stride, logits in unet(torch.rand(1, 3, 97, 131)).items():
        ...     print(stride, tuple(logits.shape))
        1 (1, 11, 97, 131)
        2 (1, 11, 49, 66)
        32 (1, 11, 4, 5)
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        init_cfg: dict | None = None,
        output_strides: int | Sequence[int] | str | None = None,
        **decoder: Any,
    ) -> None:
        super().__init__(init_cfg)
        if not isinstance(backbone, Backbone):
            raise InvalidArgument(
                f'backbone={backbone!r}: give a network, such as '
                "rexdense.create_backbone('rexnet_1.0', out_indices=(0, 1, 2, 3, 4))"
            )
        require_known('UNet', decoder, _decoder_arguments())
        self.single_output = is_integer(output_strides)
        strides: Any = output_strides
        if self.single_output:
            strides = [output_strides]
        elif isinstance(output_strides, str) and output_strides == 'all':
            strides = None
        self.backbone = backbone
        self.decoder = UNetDecoder(backbone.out_levels, num_classes, strides, **decoder)

    def forward(self, x: Tensor) -> Tensor | dict[int, Tensor]:
        """Return the logits for images (N, in_channels, H, W) of any size.

        Returns:
            (N, num_classes, ceil(H / stride), ceil(W / stride)): one tensor if ``output_strides``
            is a single stride, else a dict by stride, from fine to coarse.
        """
        logits = self.decoder(self.backbone(x), x.shape[2:])
        return logits[self.decoder.output_strides[0]] if self.single_output else logits


def list_unets() -> list[str]:
    """Return the names of the U-Nets that the zoo measures.

    Example:
        >>> list_unets()[:2]
        ['unet_rexnet_1.0', 'unet_rexnet_1.3']
    """
    return list(STANDARD_UNETS)


def create_unet(
    name: str,
    num_classes: int,
    *,
    in_channels: int = 3,
    output_strides: int | Sequence[int] | str | None = 1,
    backbone: Mapping[str, Any] | None = None,
    pretrained: bool | str = False,
    **decoder: Any,
) -> UNet:
    """Build a U-Net over all five levels of a named backbone. The decoder has random weights.

    Args:
        name: A name from :func:`rexdense.list_unets`, or from :func:`rexdense.list_backbones` for
            a decoder with default arguments.
        num_classes: Channels of the logits.
        in_channels: Channels of the images, 1 for grey images.
        output_strides: A stride returns one tensor of logits, 1 in the size of the images. A list,
            or 'all', returns a dict of logits by stride.
        backbone: Arguments of the backbone, as for :func:`rexdense.create_backbone`.
        pretrained: Published weights of the backbone, as for :func:`rexdense.create_backbone`.
        decoder: Arguments of :class:`~rexdense.models.unet.UNetDecoder` that replace those of the
            named U-Net. ``norm_cfg``, ``with_cp`` and ``recompute`` also apply to the backbone,
            unless ``backbone`` sets them.

    Raises:
        UnknownName: no such network, or no such weights.
        InvalidArgument: an argument is unknown or out of range.
        CheckpointMismatch: the arguments change the backbone, so that the weights do not fit.
        CheckpointUnreadable: the weights cannot be downloaded.

    Example:
        >>> import torch
        >>> unet = create_unet('rexnet_1.0', num_classes=3, in_channels=1).eval()
        >>> unet(torch.rand(2, 1, 97, 131)).shape
        torch.Size([2, 3, 97, 131])
        >>> unet = create_unet('rexnet_1.0', 3, output_strides='all', skip='concat').eval()
        >>> list(unet(torch.rand(1, 3, 64, 96)))
        [1, 2, 4, 8, 16, 32]
    """
    unet = _standard(name)
    if not isinstance(backbone, Mapping | None):
        raise InvalidArgument(
            f'backbone={backbone!r}: give a dict of its arguments, such as dict(width_mult=1.5)'
        )
    given = {'init_cfg', 'in_channels', 'output_strides', 'backbone', 'pretrained'}
    own = _decoder_arguments() | given
    for key in decoder.keys() - own:
        if key in backbone_class(unet.backbone).arguments():
            raise InvalidArgument(
                f'{key} is an argument of the backbone: give backbone=dict({key}={decoder[key]!r})'
            )
    require_known('create_unet', decoder, own)
    shared = {key: decoder[key] for key in _SHARED if key in decoder}
    settings = dict(out_indices=ALL_LEVELS, in_channels=in_channels) | shared | dict(backbone or {})
    network = create_backbone(unet.backbone, pretrained, **settings)
    return UNet(network, num_classes, output_strides=output_strides, **unet.decoder | decoder)


def _decoder_arguments() -> set[str]:
    given = {'feature_info', 'num_classes', 'output_strides'}
    return set(inspect.signature(UNetDecoder).parameters) - given


def _standard(name: str) -> StandardUNet:
    if isinstance(name, str) and name in STANDARD_UNETS:
        return STANDARD_UNETS[name]
    backbones = list_backbones()
    if not isinstance(name, str) or name not in backbones:
        closest = suggest(name, [*STANDARD_UNETS, *backbones])
        raise UnknownName(f'no U-Net or backbone is called {name!r}: {closest}')
    return StandardUNet(name, {})
