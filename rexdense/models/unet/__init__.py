"""U-Nets with an output at every scale over any backbone, in plain torch and as heads of mmseg."""

from rexdense.models.heads.depth import MultiScaleDepthHead
from rexdense.models.heads.segmentation import MultiScaleUNetHead
from rexdense.models.unet.decoder import UNetDecoder
from rexdense.models.unet.rexunet import ReXDepth, ReXUNet
from rexdense.models.unet.unet import UNet, create_unet

__all__ = [
    'MultiScaleDepthHead',
    'MultiScaleUNetHead',
    'ReXDepth',
    'ReXUNet',
    'UNet',
    'UNetDecoder',
    'create_unet',
]
