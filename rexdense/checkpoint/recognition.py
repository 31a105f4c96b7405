"""Where in a state dict the names of a project's networks lie."""

import functools
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from rexdense.arch import Architecture, architecture, list_backbones
from rexdense.checkpoint.native import HEAD
from rexdense.checkpoint.schemes import Entry, Scheme

__all__ = ['BACKBONE_PREFIX', 'Recognised', 'find_places', 'known_names', 'named_networks']

BACKBONE_PREFIX = 'backbone.'


class Recognised(NamedTuple):
    """A network found among the tensors of a checkpoint.

    ``prefix`` stands before the names of its body, ``head_prefix`` before those of its head.
    """

    scheme: Scheme
    prefix: str
    head_prefix: str

    def name_of(self, entry: Entry) -> str:
        """Return the name under which the checkpoint holds a tensor of the network."""
        return (self.head_prefix if entry.native.startswith(HEAD) else self.prefix) + entry.theirs


@functools.cache
def named_networks() -> dict[str, Architecture]:
    """Return every named network."""
    return {name: architecture(name) for name in list_backbones()}


@functools.cache
def known_names(scheme: Scheme) -> tuple[frozenset[str], frozenset[str]]:
    """Return the tensors' names in the bodies and in the heads of all named networks."""
    entries = [entry for network in named_networks().values() for entry in scheme.entries(network)]
    heads = frozenset(entry.theirs for entry in entries if entry.native.startswith(HEAD))
    return frozenset(entry.theirs for entry in entries) - heads, heads


@functools.cache
def _first_names(scheme: Scheme) -> frozenset[str]:
    """Return the names of the first tensors of the scheme's networks."""
    families = {network.family: network for network in named_networks().values()}
    entries = [scheme.entries(network)[:1] for network in families.values()]
    return frozenset(first[0].theirs for first in entries if first)


def find_places(tensors: Mapping[str, Tensor], scheme: Scheme) -> dict[Recognised, int]:
    """Return where a scheme's networks may lie, with how many names each place explains."""
    first = _first_names(scheme)
    prefixes = {
        key.removesuffix(name)
        for name in first
        for key in tensors
        if ('.' + key).endswith('.' + name)
    }
    # What the names of all networks cost to generate is spent only on schemes that may fit.
    body, head = known_names(scheme) if prefixes else (frozenset(), frozenset())
    found = {}
    for prefix in prefixes:
        covered = sum(key.startswith(prefix) and key[len(prefix) :] in body for key in tensors)
        # A classifier around a backbone keeps its head beside it; a plain classifier has one prefix
        # for both.
        places = dict.fromkeys((prefix, prefix.removesuffix(BACKBONE_PREFIX)))
        heads = {place: sum(place + name in tensors for name in head) for place in places}
        place = max(heads, key=heads.get)
        found[Recognised(scheme, prefix, place)] = covered + heads[place]
    return found
