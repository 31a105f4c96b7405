"""A backbone and a U-Net decoder in one module."""

import inspect
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor

from rexdense.arch.checks import require_known
from rexdense.arch.unet import STANDARD_UNETS
from rexdense.errors import InvalidArgument, UnknownName, suggest
from rexdense.models.backbones.backbone import Backbone
from rexdense.models.creation import create_backbone
from rexdense.models.unet.decoder import UNetDecoder

__all__ = ['UNet', 'create_unet']


class UNet(BaseModule):
    """A backbone under a U-Net decoder.

    The backbone's tensors are named as in the backbone alone, below ``backbone.``:
    ``load_weights(unet, checkpoint, backbone_only=True)`` fills it from a classifier.

    Args:
        backbone: Its ``out_indices`` say which levels the decoder reads.
        num_classes: Channels of the logits.
        decoder: Further arguments of :class:`~rexdense.models.unet.UNetDecoder`.

    Raises:
        InvalidArgument: see :class:`~rexdense.models.unet.UNetDecoder`.

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
        self, backbone: Backbone, num_classes: int, init_cfg: dict | None = None, **decoder: Any
    ) -> None:
        super().__init__(init_cfg)
        if not isinstance(backbone, Backbone):
            raise InvalidArgument(
                f'backbone={backbone!r}: give a network, such as '
                "rexdense.create_backbone('rexnet_1.0', out_indices=(0, 1, 2, 3, 4))"
            )
        require_known('UNetDecoder', decoder, set(inspect.signature(UNetDecoder).parameters))
        self.backbone = backbone
        self.decoder = UNetDecoder(backbone.out_levels, num_classes, **decoder)

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """Return the logits by stride for images (N, in_channels, H, W) of any size.

        Returns:
            For each stride asked for (N, num_classes, ceil(H / stride), ceil(W / stride)), from
            fine to coarse.
        """
        return self.decoder(self.backbone(x), x.shape[2:])


def create_unet(name: str, num_classes: int, **decoder: Any) -> UNet:
    """Return a U-Net of :data:`rexdense.arch.unet.STANDARD_UNETS` over all five levels.

    Args:
        num_classes: Channels of the logits.
        decoder: Arguments of :class:`~rexdense.models.unet.UNetDecoder` that replace those of the
            name.

    Raises:
        UnknownName: ``name`` is none of them.
        InvalidArgument: see :class:`~rexdense.models.unet.UNetDecoder`.

    Example:
        >>> create_unet('unet_rexnet_1.0_wide', num_classes=11).decoder.decoder_channels
        (256, 128, 64, 32, 16)
    """
    if not isinstance(name, str) or name not in STANDARD_UNETS:
        raise UnknownName(f'no U-Net is called {name!r}: {suggest(name, STANDARD_UNETS)}')
    unet = STANDARD_UNETS[name]
    backbone = create_backbone(unet.backbone, out_indices=(0, 1, 2, 3, 4))
    return UNet(backbone, num_classes, **unet.decoder | decoder)
