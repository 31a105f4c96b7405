"""rexdense's own names, to which every other scheme is translated."""

import dataclasses
from collections.abc import Iterator

from rexdense.arch import Architecture
from rexdense.checkpoint.native import native_layers
from rexdense.checkpoint.preprocessing import IMAGENET_RGB, Preprocessing
from rexdense.checkpoint.schemes.scheme import Scheme

__all__ = ['REXDENSE']


@dataclasses.dataclass(frozen=True)
class NativeNames:
    """Every layer under its own name; the preprocessing is that of files that name none."""

    preprocessing: Preprocessing = IMAGENET_RGB

    def pairs(self, architecture: Architecture) -> Iterator[tuple[str, str]]:
        """Yield each layer twice."""
        return ((path, path) for path in native_layers(architecture))


REXDENSE = Scheme(
    name='rexdense',
    title='rexdense',
    families={family: NativeNames() for family in ('rexnet', 'rexnet_lite', 'regnet', 'resnext')},
)
