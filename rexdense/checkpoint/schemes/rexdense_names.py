"""rexdense's own names, to which every other scheme is translated."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from rexdense.arch import Architecture
from rexdense.checkpoint.names.native import native_layers
from rexdense.checkpoint.preprocessing import IMAGENET_RGB, Preprocessing
from rexdense.checkpoint.schemes.scheme import Scheme


@dataclasses.dataclass(frozen=True)
class NativeNames:
    """Every layer under its own name; the rest is for files that do not say it themselves."""

    preprocessing: Preprocessing = IMAGENET_RGB
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def pairs(self, architecture: Architecture) -> Iterator[tuple[str, str]]:
        """Yield each layer twice."""
        return ((path, path) for path in native_layers(architecture))


REXDENSE = Scheme(
    name='rexdense',
    title='rexdense',
    families={family: NativeNames() for family in ('rexnet', 'rexnet_lite', 'regnet', 'resnext')},
)
