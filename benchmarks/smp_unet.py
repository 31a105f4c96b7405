"""segmentation_models.pytorch's Unet in mmseg's EncoderDecoder, to train it with the same data,
augmentation, optimizer and schedule as rexdense's U-Net (smp_unet_camvid.py)."""

from typing import Any

import segmentation_models_pytorch as smp
import torch
from mmengine.model import BaseModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import nn

from rexdense.registry import MODELS

__all__ = ['SmpUnet', 'SmpUnetHead']

WIDTH = 16
"""Channels of the last block of smp's Unet, by its defaults (decoder_channels 256 to 16)."""


@MODELS.register_module()
class SmpUnet(BaseModule):
    """Encoder and decoder of ``smp.Unet``, with its defaults and random weights.

    Args:
        encoder: An encoder of smp, such as ``'tu-rexnet_100'``, timm's ReXNet of width 1.0.
    """

    def __init__(self, encoder: str, init_cfg: Any = None) -> None:
        super().__init__(init_cfg)
        network = smp.Unet(encoder, encoder_weights=None)
        self.encoder, self.decoder = network.encoder, network.decoder

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
        """Return features (batch, 16, height, width) of images whose sides are multiples of 32."""
        return (self.decoder(self.encoder(images)),)


@MODELS.register_module()
class SmpUnetHead(BaseDecodeHead):
    """The last 3 x 3 convolution of ``smp.Unet``, from features to classes, with mmseg's losses."""

    def __init__(self, num_classes: int, **settings: Any) -> None:
        super().__init__(WIDTH, WIDTH, num_classes=num_classes, dropout_ratio=0, **settings)
        self.conv_seg = nn.Conv2d(WIDTH, num_classes, 3, padding=1)

    def forward(self, features: tuple[torch.Tensor]) -> torch.Tensor:
        """Return logits (batch, classes, height, width)."""
        return self.conv_seg(features[0])
