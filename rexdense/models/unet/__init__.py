"""U-Nets with an output at every scale, over any backbone, in plain torch."""

from rexdense.models.unet.decoder import UNetDecoder
from rexdense.models.unet.rexunet import ReXDepth, ReXUNet
from rexdense.models.unet.unet import UNet, create_unet

__all__ = ['ReXDepth', 'ReXUNet', 'UNet', 'UNetDecoder', 'create_unet']
