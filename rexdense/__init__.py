"""Efficient convolutional backbones for detection and segmentation in the OpenMMLab ecosystem.

Example:
    >>> import rexdense
    >>> backbone = rexdense.create_backbone('rexnet_1.0')
    >>> [level.channels for level in backbone.out_levels]
    [38, 61, 128, 185]
"""

import importlib
from typing import TYPE_CHECKING, Any

from rexdense.dependencies import needed_packages
from rexdense.errors import RexdenseError

if TYPE_CHECKING:
    from rexdense.arch import list_backbones
    from rexdense.checkpoint import load_weights
    from rexdense.inference import Predictor
    from rexdense.models import create_backbone, create_classifier
    from rexdense.models.unet import create_unet, list_unets
    from rexdense.zoo.weights import list_pretrained

__version__ = '0.1.0'

__all__ = [
    'Predictor',
    'RexdenseError',
    '__version__',
    'create_backbone',
    'create_classifier',
    'create_unet',
    'list_backbones',
    'list_pretrained',
    'list_unets',
    'load_weights',
]

_ROOMS = ('arch', 'checkpoint', 'datasets', 'deploy', 'evaluation', 'inference', 'models')

_HOMES = {
    'Predictor': 'rexdense.inference',
    'create_backbone': 'rexdense.models',
    'create_classifier': 'rexdense.models',
    'create_unet': 'rexdense.models.unet',
    'list_backbones': 'rexdense.arch',
    'list_pretrained': 'rexdense.zoo.weights',
    'list_unets': 'rexdense.models.unet',
    'load_weights': 'rexdense.checkpoint',
}


def __getattr__(name: str) -> Any:
    # Loaded at first use, so that importing rexdense needs neither torch nor an OpenMMLab package.
    if name not in _HOMES and name not in _ROOMS:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    with needed_packages(f'rexdense.{name}'):
        if name in _ROOMS:
            return importlib.import_module(f'rexdense.{name}')
        return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_ROOMS})
