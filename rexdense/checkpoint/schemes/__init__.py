"""Naming schemes of the projects that publish these networks, one module per project."""

from rexdense.arch import architecture
from rexdense.checkpoint.preprocessing import Preprocessing
from rexdense.checkpoint.schemes.clovaai import CLOVAAI
from rexdense.checkpoint.schemes.mindcv import MINDCV
from rexdense.checkpoint.schemes.openmmlab import OPENMMLAB
from rexdense.checkpoint.schemes.pycls import PYCLS
from rexdense.checkpoint.schemes.rexdense_names import REXDENSE
from rexdense.checkpoint.schemes.scheme import Entry, Scheme
from rexdense.checkpoint.schemes.timm import TIMM
from rexdense.checkpoint.schemes.timm_features import TIMM_FEATURES
from rexdense.checkpoint.schemes.torchvision import TORCHVISION
from rexdense.checkpoint.schemes.zshn25 import ZSHN25
from rexdense.errors import UnknownName, suggest

__all__ = ['REXDENSE', 'SCHEMES', 'Entry', 'Scheme', 'published_preprocessing', 'scheme_named']

# If two projects use the same names for the same network, the first one is reported.
SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        REXDENSE,
        CLOVAAI,
        TORCHVISION,
        TIMM,
        TIMM_FEATURES,
        PYCLS,
        OPENMMLAB,
        MINDCV,
        ZSHN25,
    )
}


def scheme_named(name: str) -> Scheme:
    """Return the scheme called ``name``, or raise UnknownName."""
    if name not in SCHEMES:
        raise UnknownName(f'no source of weights is called {name!r}: {suggest(name, SCHEMES)}')
    return SCHEMES[name]


def published_preprocessing(source: str, name: str) -> Preprocessing:
    """Return the preprocessing that a project's published weights expect.

    Args:
        source: The project, such as 'pycls'.
        name: A network, such as 'regnetx_800mf'.

    Raises:
        UnknownName: no project or network has this name, or the project has no such network.

    Example:
        >>> published_preprocessing('timm', 'rexnet_1.0').channel_order
        'RGB'
    """
    families = scheme_named(source).families
    family = architecture(name).family
    if family not in families:
        raise UnknownName(f'{source} publishes no {name}: its families are {", ".join(families)}')
    return families[family].preprocessing
