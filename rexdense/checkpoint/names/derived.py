"""Refusal of pruned and parametrised modules, whose weights torch computes as they are used."""

import re
from collections.abc import Iterable

from rexdense.errors import CheckpointMismatch

_PARAMETRISED = re.compile(r'(^|\.)parametrizations\.')

# Endings that stand together in place of one weight, what that is called, and what undoes it:
# torch/nn/utils/prune.py, weight_norm.py and spectral_norm.py.
_TOGETHER = (
    (('_orig', '_mask'), 'pruned', "torch.nn.utils.prune.remove(module, 'weight')"),
    (('_orig', '_u'), 'spectrally normalised', 'torch.nn.utils.remove_spectral_norm(module)'),
    (('_g', '_v'), 'weight-normalised', 'torch.nn.utils.remove_weight_norm(module)'),
)


def require_plain_weights(names: Iterable[str], checkpoint: str) -> None:
    """Raise CheckpointMismatch where a weight of a network is stored as what it is computed from;
    the message says how to save the weights themselves.

    Args:
        names: Of the network's tensors.
        checkpoint: What error messages call it.
    """
    names = set(names)
    parametrised = sorted(name for name in names if _PARAMETRISED.search(name))
    if parametrised:
        remedy = "torch.nn.utils.parametrize.remove_parametrizations(module, 'weight')"
        _refuse(checkpoint, 'parametrised', parametrised, remedy)
    for (first, second), kind, remedy in _TOGETHER:
        # No part of a network here is named so; a weight is gone where both stand for it.
        stems = (name.removesuffix(first) for name in sorted(names) if name.endswith(first))
        found = [stem + first for stem in stems if stem + second in names and stem not in names]
        if found:
            _refuse(checkpoint, kind, found, remedy)


def _refuse(checkpoint: str, kind: str, names: list[str], remedy: str) -> None:
    raise CheckpointMismatch(
        f'{checkpoint} holds {kind} weights as what they are computed from ({len(names)} tensors '
        f'as {names[0]}): call {remedy} for each such module of the network and save it again'
    )
