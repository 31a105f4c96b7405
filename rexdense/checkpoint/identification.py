"""Which project's names a state dict bears, and which network it is."""

import functools
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from rexdense.arch import architecture, list_backbones
from rexdense.checkpoint.native import HEAD, STEM_WEIGHT, level_of
from rexdense.checkpoint.schemes import SCHEMES, Entry, Scheme, scheme_named
from rexdense.errors import CheckpointMismatch

__all__ = ['Fit', 'Recognised', 'closest_fit', 'identify', 'recognise']

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


class Fit(NamedTuple):
    """How a checkpoint compares with a named network; it fits where there are no differences."""

    name: str
    equal: int
    differences: tuple[str, ...]


@functools.cache
def _known_names(scheme: Scheme) -> tuple[frozenset[str], frozenset[str]]:
    """Return the tensors' names in the bodies and in the heads of all named networks."""
    entries = [entry for name in list_backbones() for entry in scheme.entries(architecture(name))]
    heads = frozenset(entry.theirs for entry in entries if entry.native.startswith(HEAD))
    return frozenset(entry.theirs for entry in entries) - heads, heads


@functools.cache
def _first_names(scheme: Scheme) -> frozenset[str]:
    """Return the names of the first tensors of the scheme's networks."""
    networks = {architecture(name).family: architecture(name) for name in list_backbones()}
    entries = [scheme.entries(network)[:1] for network in networks.values()]
    return frozenset(first[0].theirs for first in entries if first)


def _candidates(tensors: Mapping[str, Tensor], scheme: Scheme) -> dict[Recognised, int]:
    """Return where a scheme's networks may lie, with how many names each place explains."""
    first = _first_names(scheme)
    prefixes = {
        key.removesuffix(name)
        for name in first
        for key in tensors
        if ('.' + key).endswith('.' + name)
    }
    # What the names of all networks cost to generate is spent only on schemes that may fit.
    body, head = _known_names(scheme) if prefixes else (frozenset(), frozenset())
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


def recognise(
    tensors: Mapping[str, Tensor],
    source: str | None = None,
    prefix: str | None = None,
    name: str = 'the checkpoint',
) -> Recognised:
    """Find the network in a state dict by the names of its tensors.

    Args:
        source: The scheme; None finds it.
        prefix: What stands before the names; None finds it.
        name: What error messages call the checkpoint.

    Raises:
        UnknownName: no scheme is called ``source``.
        CheckpointMismatch: no known names, or two networks.
    """
    schemes = SCHEMES.values() if source is None else [scheme_named(source)]
    scores = {
        found: score for scheme in schemes for found, score in _candidates(tensors, scheme).items()
    }
    if prefix is not None:
        scores = {found: score for found, score in scores.items() if found.prefix == prefix}
    if not scores:
        shown = ', '.join(list(tensors)[:3])
        raise CheckpointMismatch(
            f'{name} has no tensors named as {source or "any known project"} names them'
            + (f' below {prefix!r}' if prefix else '')
            + f' ({len(tensors)} tensors: {shown} ...); known sources: {", ".join(SCHEMES)}'
        )
    best = max(scores.values())
    leaders = [found for found, score in scores.items() if score == best]
    if len({found.prefix for found in leaders}) > 1:
        places = ' and '.join(repr(found.prefix) for found in leaders)
        raise CheckpointMismatch(
            f'{name} holds two networks, below {places}: choose one with prefix='
        )
    if len(leaders) > 1:
        # Two projects share names for different networks: the shapes decide.
        leaders.sort(key=lambda found: _rank(tensors, found), reverse=True)
    return leaders[0]


def _rank(tensors: Mapping[str, Tensor], found: Recognised) -> tuple[int, bool]:
    return closest_fit(tensors, found).equal, found.scheme.nested == (found.prefix != '')


def _compare(tensors: Mapping[str, Tensor], found: Recognised, name: str) -> Fit | None:
    entries = [
        entry
        for entry in found.scheme.entries(architecture(name))
        if not entry.native.startswith(HEAD)
    ]
    if not entries:
        return None
    held = {found.name_of(entry): entry for entry in entries}
    # Levels above the deepest that the checkpoint holds were not built there.
    levels = [level_of(entry.native) for key, entry in held.items() if key in tensors]
    deepest = max(levels, default=-1)
    differences, equal = [], 0
    for key, entry in held.items():
        if key in tensors:
            shape = tuple(tensors[key].shape)
            wanted = entry.shape
            if entry.native == STEM_WEIGHT and len(shape) == 4:
                wanted = (wanted[0], shape[1], *wanted[2:])
            if shape == wanted:
                equal += 1
            else:
                differences.append(f'{key} is {shape}, not {wanted}')
        elif not key.endswith('num_batches_tracked') and level_of(entry.native) <= deepest:
            differences.append(f'{key} is missing')
    body, _ = _known_names(found.scheme)
    foreign = (key for key in tensors if key.startswith(found.prefix) and key not in held)
    differences += [f'{key} is one too many' for key in foreign if key[len(found.prefix) :] in body]
    return Fit(name, equal, tuple(differences))


def closest_fit(tensors: Mapping[str, Tensor], found: Recognised) -> Fit:
    """Return the named network that a checkpoint fits best, by the shapes of its body."""
    fits = (_compare(tensors, found, name) for name in list_backbones())
    return max(
        (fit for fit in fits if fit),
        key=lambda fit: (fit.equal - len(fit.differences), -len(fit.differences)),
    )


def identify(
    tensors: Mapping[str, Tensor], source: str | None = None, prefix: str | None = None
) -> str:
    """Return the name of the network that a state dict holds, by the shapes of its tensors.

    Args:
        tensors: A state dict under any known names; its head and input channels are free.
        source: The scheme; None finds it.
        prefix: What stands before the names; None finds it.

    Raises:
        CheckpointMismatch: no known names, or no named network has these shapes; the closest one is
            named.

    Example:
        >>> import rexdense
        >>> identify(rexdense.create_backbone('rexnet_1.3').state_dict())
        'rexnet_1.3'
    """
    found = recognise(tensors, source, prefix)
    fit = closest_fit(tensors, found)
    if fit.differences:
        raise CheckpointMismatch(
            f'the tensors are named as in {found.scheme.title}, but no named network has their '
            f'shapes; closest is {fit.name}: {len(fit.differences)} differ, '
            f'first {"; ".join(fit.differences[:3])}'
        )
    return fit.name
