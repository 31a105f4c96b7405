"""Identification of a state dict: the project of its names, and the network."""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from rexdense.arch import Architecture
from rexdense.checkpoint.formats.unwrapping import is_ema
from rexdense.checkpoint.names.derived import require_plain_weights
from rexdense.checkpoint.names.native import COUNTER, HEAD, STEM_WEIGHT, level_of
from rexdense.checkpoint.names.recognition import (
    Recognised,
    find_places,
    named_networks,
)
from rexdense.checkpoint.schemes import SCHEMES, scheme_named
from rexdense.errors import CheckpointMismatch

KINDS = (
    'a kind of network that is not here (here are ReXNet, ReXNet-lite, ReXNet-R, RegNetX, RegNetY '
    'and ResNeXt)'
)
"""The description of every other network."""
_FOREIGN = 'has no place there'


class Fit(NamedTuple):
    """Comparison of a checkpoint with a named network; it fits if there are no differences."""

    name: str
    equal: int
    differences: tuple[str, ...]


def recognise(
    tensors: Mapping[str, Tensor],
    source: str | None = None,
    prefix: str | None = None,
    name: str = 'the checkpoint',
) -> Recognised:
    """Find the network in a state dict by the names of its tensors.

    Args:
        source: The scheme; None detects it.
        prefix: The prefix of the names; None detects it.
        name: The checkpoint's name in error messages.

    Raises:
        UnknownName: no scheme is called ``source``.
        CheckpointMismatch: no known names, several networks, or weights stored as the values from
            which they are computed.
    """
    schemes = SCHEMES.values() if source is None else [scheme_named(source)]
    scores = {
        found: score for scheme in schemes for found, score in find_places(tensors, scheme).items()
    }
    if prefix is not None:
        scores = {found: score for found, score in scores.items() if found.prefix == prefix}
    if not scores:
        require_plain_weights(tensors, name)
        shown = ', '.join(list(tensors)[:3])
        asked = source is not None or prefix is not None
        raise CheckpointMismatch(
            f'{name} has no tensors named as {source or "any known project"} names them'
            + (f' below {prefix!r}' if prefix else '')
            + f' ({len(tensors)} tensors: {shown} ...)'
            + (f'; known sources: {", ".join(SCHEMES)}' if asked else f': it holds {KINDS}')
        )
    best = max(scores.values())
    leaders = [found for found, score in scores.items() if score == best]
    # Training programs may store the running average beside the weights.
    leaders = [found for found in leaders if not is_ema(found.prefix)] or leaders
    places = list(dict.fromkeys(repr(found.prefix) for found in leaders))
    if len(places) > 1:
        shown = ' and '.join(places[:2])
        number = 'two' if len(places) == 2 else len(places)
        raise CheckpointMismatch(
            f'{name} holds {number} networks, below {shown}'
            + (' and others' if len(places) > 2 else '')
            + ': choose one with prefix='
        )
    if len(leaders) > 1:
        # Two projects use the same names for different networks: compare the shapes.
        leaders.sort(key=lambda found: _rank(tensors, found), reverse=True)
    require_plain_weights(filter(leaders[0].in_body, tensors), name)
    return leaders[0]


def _rank(tensors: Mapping[str, Tensor], found: Recognised) -> tuple[int, bool]:
    return closest_fit(tensors, found).equal, found.scheme.nested == (found.prefix != '')


def _compare(
    tensors: Mapping[str, Tensor],
    own: list[str],
    found: Recognised,
    name: str,
    network: Architecture,
) -> Fit | None:
    entries = [
        entry for entry in found.scheme.entries(network) if not entry.native.startswith(HEAD)
    ]
    if not entries:
        return None
    held = {found.name_of(entry): entry for entry in entries}
    # The checkpoint has no levels above its deepest one.
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
        elif not key.endswith(COUNTER) and level_of(entry.native) <= deepest:
            differences.append(f'{key} is missing')
    # Foreign names are more informative than missing ones or other shapes, so they come first.
    left_over = [key for key in own if key not in held]
    foreign = [f'{key} {_FOREIGN}' for key in left_over if not found.is_known(key)]
    differences += [f'{key} is one too many' for key in left_over if found.is_known(key)]
    differences = foreign + differences
    return Fit(name, equal, tuple(differences))


def closest_fit(tensors: Mapping[str, Tensor], found: Recognised, preferred: str = '') -> Fit:
    """Return the named network that a checkpoint fits best, by the shapes of its body.

    ``preferred`` is taken if several fit equally well, as the first levels of different widths may.
    """
    return max(
        _fits(tensors, found),
        key=lambda fit: (fit.equal - len(fit.differences), fit.name == preferred),
    )


def _fits(tensors: Mapping[str, Tensor], found: Recognised) -> list[Fit]:
    own = _own(tensors, found)
    compared = (
        _compare(tensors, own, found, name, network)
        for name, network in named_networks(found.family).items()
    )
    return [fit for fit in compared if fit]


def _own(tensors: Mapping[str, Tensor], found: Recognised) -> list[str]:
    """Return the names of the tensors of the network's body."""
    return [key for key in tensors if not key.endswith(COUNTER) and found.in_body(key)]


def fits(tensors: Mapping[str, Tensor], found: Recognised, network: Architecture) -> bool:
    """Return whether a checkpoint holds this network, by the shapes of its body."""
    fit = _compare(tensors, _own(tensors, found), found, '', network)
    return fit is not None and not fit.differences


def identify(
    tensors: Mapping[str, Tensor],
    source: str | None = None,
    prefix: str | None = None,
    name: str = 'the checkpoint',
) -> str:
    """Return the name of the network that a state dict holds, by the shapes of its tensors.

    Args:
        tensors: A state dict with any known names; its head and input channels may differ.
        source, prefix, name: As for :func:`recognise`.

    Raises:
        CheckpointMismatch: no known names, no named network has these shapes (the closest one is
            named), or several have.

    Example:
        >>> import rexdense
        >>> identify(rexdense.create_backbone('rexnet_1.3').state_dict())
        'rexnet_1.3'
    """
    found = recognise(tensors, source, prefix, name)
    alike = [fit.name for fit in _fits(tensors, found) if not fit.differences]
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise CheckpointMismatch(
            f'{name} has only levels that are the same in {", ".join(alike)}: '
            'which of them it is cannot be told'
        )
    fit = closest_fit(tensors, found)
    raise CheckpointMismatch(
        f'{name} holds {describe_misfit(found, fit)}, but {len(fit.differences)} tensors differ, '
        f'first {"; ".join(fit.differences[:3])}'
    )


def describe_misfit(found: Recognised, fit: Fit) -> str:
    """Describe a checkpoint that fits no named network."""
    if any(text.endswith(_FOREIGN) for text in fit.differences):
        return f'{KINDS}: named as in {found.scheme.title}, closest is {fit.name}'
    return (
        'no named network, but another kind or one built with other arguments: named as in '
        f'{found.scheme.title}, closest is {fit.name}'
    )
