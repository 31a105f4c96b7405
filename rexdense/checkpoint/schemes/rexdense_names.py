"""rexdense's own tensor names, to which all other schemes are mapped."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from rexdense.arch import Architecture
from rexdense.checkpoint.names.native import native_layers
from rexdense.checkpoint.preprocessing import IMAGENET_RGB, Preprocessing
from rexdense.checkpoint.schemes.scheme import Scheme


@dataclasses.dataclass(frozen=True)
class NativeNames:
    """Every layer with its own name. The other attributes are defaults for files without them."""

    preprocessing: Preprocessing = IMAGENET_RGB
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def pairs(self, architecture: Architecture) -> Iterator[tuple[str, str]]:
        """Yield each path as a pair of itself."""
        return ((path, path) for path in native_layers(architecture))


REXDENSE = Scheme(
    name='rexdense',
    title='rexdense',
    families={family: NativeNames() for family in ('rexnet', 'rexnet_lite', 'regnet', 'resnext')},
)
