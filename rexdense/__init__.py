"""Efficient convolutional backbones for detection and segmentation in the OpenMMLab ecosystem.

Example:
    >>> import rexdense
    >>> backbone = rexdense.create_backbone('rexnet_1.0')
    >>> [level.channels for level in backbone.out_levels]
    [38, 61, 128, 185]
"""

import importlib
from typing import Any

from rexdense.dependencies import needed_packages
from rexdense.errors import RexdenseError

__version__ = '0.1.0'

_HOMES = {
    'create_backbone': 'rexdense.models',
    'create_classifier': 'rexdense.models',
    'list_backbones': 'rexdense.arch',
    'load_weights': 'rexdense.checkpoint',
}

__all__ = ['RexdenseError', '__version__', *_HOMES]


def __getattr__(name: str) -> Any:
    # Loaded at first use: importing rexdense needs neither torch nor an OpenMMLab package.
    if name not in _HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    with needed_packages(f'rexdense.{name}'):
        return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
