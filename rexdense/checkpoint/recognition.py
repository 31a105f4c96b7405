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
    family: str
    prefix: str
    head_prefix: str

    def name_of(self, entry: Entry) -> str:
        """Return the name under which the checkpoint holds a tensor of the network."""
        return (self.head_prefix if entry.native.startswith(HEAD) else self.prefix) + entry.theirs


@functools.cache
def named_networks(family: str) -> dict[str, Architecture]:
    """Return the named networks of a family."""
    networks = {name: architecture(name) for name in list_backbones()}
    return {name: network for name, network in networks.items() if network.family == family}


@functools.cache
def known_names(scheme: Scheme, family: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the tensors' names in the bodies and in the heads of a family's networks."""
    networks = named_networks(family).values()
    entries = [entry for network in networks for entry in scheme.entries(network)]
    heads = frozenset(entry.theirs for entry in entries if entry.native.startswith(HEAD))
    return frozenset(entry.theirs for entry in entries) - heads, heads


def find_places(tensors: Mapping[str, Tensor], scheme: Scheme) -> dict[Recognised, int]:
    """Return where a scheme's networks may lie, with how many names each place explains."""
    found = {}
    for family, names in scheme.families.items():
        network = next(iter(named_networks(family).values()))
        first = f'{next(iter(names.pairs(network)))[0]}.weight'
        prefixes = [key.removesuffix(first) for key in tensors if f'.{key}'.endswith(f'.{first}')]
        for prefix in prefixes:
            # Generating all names takes a while: only where a network may be.
            body, head = known_names(scheme, family)
            covered = sum(key.startswith(prefix) and key[len(prefix) :] in body for key in tensors)
            # A classifier around a backbone has its head beside it, any other has one prefix.
            places = dict.fromkeys((prefix, prefix.removesuffix(BACKBONE_PREFIX)))
            heads = {place: sum(place + name in tensors for name in head) for place in places}
            place = max(heads, key=heads.get)
            found[Recognised(scheme, family, prefix, place)] = covered + heads[place]
    return found
