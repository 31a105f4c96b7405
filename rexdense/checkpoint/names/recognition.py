"""Recognition of a project's tensor names in a state dict."""

import functools
import re
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from rexdense.arch import Architecture, architecture, list_backbones
from rexdense.checkpoint.formats.unwrapping import INNER_WRAPPERS
from rexdense.checkpoint.names.native import HEAD, NORM_TENSORS
from rexdense.checkpoint.schemes import Entry, Scheme

BACKBONE_PREFIX = 'backbone.'
_STEM = ('conv.weight', *NORM_TENSORS)
_DIGITS = re.compile(r'\d+')


class Recognised(NamedTuple):
    """A network in the tensors of a checkpoint.

    ``prefix`` is the prefix of the names of its body, ``head_prefix`` of those of its head.
    """

    scheme: Scheme
    family: str
    prefix: str
    head_prefix: str

    def name_of(self, entry: Entry) -> str:
        """Return the checkpoint's name of a tensor of the network."""
        return (self.head_prefix if entry.native.startswith(HEAD) else self.prefix) + entry.theirs

    @property
    def root(self) -> str:
        """The prefix of the modules beside the network."""
        return parent_of(self.prefix)

    def in_body(self, key: str) -> bool:
        """Return whether a name, known or not, is in the modules of the network's body."""
        if not key.startswith(self.prefix):
            return False
        own = key[len(self.prefix) :]
        _, head = known_names(self.scheme, self.family)
        if own in head:
            return False
        first = own.split('.')[0]
        modules = known_modules(self.scheme, self.family)
        if first in modules.body or _DIGITS.sub('#', first) in modules.stages:
            return True
        # Such a prefix contains only the network.
        return self.prefix.endswith(BACKBONE_PREFIX) and first not in modules.head

    def is_known(self, key: str) -> bool:
        """Return whether the family has such a tensor, in a block of any number."""
        own = _DIGITS.sub('#', key[len(self.prefix) :])
        return own in known_modules(self.scheme, self.family).tensors


def parent_of(prefix: str) -> str:
    """Return the prefix of the parent module, without wrappers.

    Example:
        >>> parent_of('model.backbone.'), parent_of('backbone._orig_mod.'), parent_of('encoder.')
        ('model.', '', '')
    """
    parts = prefix.split('.')[:-1]
    while parts and parts[-1] in INNER_WRAPPERS:
        parts.pop()
    return ''.join(f'{part}.' for part in parts[:-1])


@functools.cache
def named_networks(family: str) -> dict[str, Architecture]:
    """Return the named networks of a family."""
    networks = {name: architecture(name) for name in list_backbones()}
    return {name: network for name, network in networks.items() if network.family == family}


@functools.cache
def known_names(scheme: Scheme, family: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the tensor names in the bodies and in the heads of a family's networks."""
    networks = named_networks(family).values()
    entries = [entry for network in networks for entry in scheme.entries(network)]
    heads = frozenset(entry.theirs for entry in entries if entry.native.startswith(HEAD))
    return frozenset(entry.theirs for entry in entries) - heads, heads


class Modules(NamedTuple):
    """The outermost modules of a family's networks: the first parts of the tensor names.

    In ``stages``, '#' replaces the numbers in the names of blocks, because other networks may have
    more blocks. ``tensors`` has the whole names in this form.
    """

    body: frozenset[str]
    head: frozenset[str]
    stages: frozenset[str]
    tensors: frozenset[str]


@functools.cache
def known_modules(scheme: Scheme, family: str) -> Modules:
    """Return the outermost modules of a family's networks with a project's names."""
    body, head = (
        frozenset(name.split('.')[0] for name in names) for names in known_names(scheme, family)
    )
    stages = frozenset(
        _DIGITS.sub('#', entry.theirs.split('.')[0])
        for network in named_networks(family).values()
        for entry in scheme.entries(network)
        if entry.native.startswith('stages.')
    )
    tensors = frozenset(_DIGITS.sub('#', name) for name in known_names(scheme, family)[0])
    return Modules(body, head, stages, tensors)


def find_places(tensors: Mapping[str, Tensor], scheme: Scheme) -> dict[Recognised, int]:
    """Find the prefixes of a scheme's networks, and the number of matching names of each.

    Each match begins with a stem convolution. Blocks of other networks may have layers of the same
    name. They are excluded by their kernel sizes, and by the surrounding network, which has more
    matching names.
    """
    found = {}
    for family in scheme.families:
        network = next(iter(named_networks(family).values()))
        stem = scheme.entries(network)[0]
        prefixes = [
            key.removesuffix(stem.theirs)
            for key, tensor in tensors.items()
            if f'.{key}'.endswith(f'.{stem.theirs}') and tensor.shape[2:] == stem.shape[2:]
        ]
        for prefix in prefixes:
            # Generating all names is slow, so it is done only for candidates.
            body, head = known_names(scheme, family)
            covered = _covered(tensors, prefix, body)
            # A surrounding network without such a stem has another kind of stem.
            if any(
                place + stem.theirs not in tensors and covered < _covered(tensors, place, body)
                for place in _places_around(prefix)
            ):
                continue
            # Many networks begin with a convolution and a norm of these names.
            below = sum(key.startswith(prefix) for key in tensors)
            if covered <= len(_STEM) and below > 3 * covered:
                continue
            # A classifier may have its head beside the backbone; others have a single prefix.
            places = dict.fromkeys((prefix, prefix.removesuffix(BACKBONE_PREFIX)))
            heads = {place: sum(place + name in tensors for name in head) for place in places}
            place = max(heads, key=heads.get)
            found[Recognised(scheme, family, prefix, place)] = covered + heads[place]
    return found


def _places_around(prefix: str) -> list[str]:
    """Return the prefixes of the modules that contain the prefix."""
    parts = prefix.split('.')[:-1]
    return [''.join(f'{part}.' for part in parts[:end]) for end in range(len(parts))]


def _covered(tensors: Mapping[str, Tensor], prefix: str, names: frozenset[str]) -> int:
    """Count the tensors with the prefix and one of the names."""
    return sum(key.startswith(prefix) and key[len(prefix) :] in names for key in tensors)
