"""U-Nets with an output at every scale for any backbone, in plain torch and as heads for mmseg."""

import importlib
from typing import Any

from rexdense.models.unet.decoder import UNetDecoder
from rexdense.models.unet.rexunet import ReXDepth, ReXUNet
from rexdense.models.unet.unet import UNet, create_unet, list_unets

__all__ = [
    'MultiScaleDepthHead',
    'MultiScaleUNetHead',
    'ReXDepth',
    'ReXUNet',
    'UNet',
    'UNetDecoder',
    'create_unet',
    'list_unets',
]

# The heads import the decoder, so they are imported at first use.
_HEADS = {
    'MultiScaleDepthHead': 'rexdense.models.heads.depth',
    'MultiScaleUNetHead': 'rexdense.models.heads.segmentation',
}


def __getattr__(name: str) -> Any:
    if name not in _HEADS:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(_HEADS[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HEADS})
