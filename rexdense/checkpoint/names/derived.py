"""Refusal of pruned and parametrised modules, whose weights torch computes on use."""

import re
from collections.abc import Iterable

from rexdense.errors import CheckpointMismatch

_PARAMETRISED = re.compile(r'(^|\.)parametrizations\.')

# Pairs of endings that replace one weight, their name, and how to undo them:
# torch/nn/utils/prune.py, weight_norm.py and spectral_norm.py.
_TOGETHER = (
    (('_orig', '_mask'), 'pruned', "torch.nn.utils.prune.remove(module, 'weight')"),
    (('_orig', '_u'), 'spectrally normalised', 'torch.nn.utils.remove_spectral_norm(module)'),
    (('_g', '_v'), 'weight-normalised', 'torch.nn.utils.remove_weight_norm(module)'),
)


def require_plain_weights(names: Iterable[str], checkpoint: str) -> None:
    """Raise CheckpointMismatch if a weight is stored as the values from which it is computed; the
    message says how to save the weight itself.

    Args:
        names: Names of the network's tensors.
        checkpoint: The checkpoint's name in error messages.
    """
    names = set(names)
    parametrised = sorted(name for name in names if _PARAMETRISED.search(name))
    if parametrised:
        remedy = "torch.nn.utils.parametrize.remove_parametrizations(module, 'weight')"
        _refuse(checkpoint, 'parametrised', parametrised, remedy)
    for (first, second), kind, remedy in _TOGETHER:
        # None of rexdense's networks has such names; both endings together replace a weight.
        stems = (name.removesuffix(first) for name in sorted(names) if name.endswith(first))
        found = [stem + first for stem in stems if stem + second in names and stem not in names]
        if found:
            _refuse(checkpoint, kind, found, remedy)


def _refuse(checkpoint: str, kind: str, names: list[str], remedy: str) -> None:
    raise CheckpointMismatch(
        f'{checkpoint} holds {kind} weights as what they are computed from ({len(names)} tensors '
        f'as {names[0]}): call {remedy} for each such module of the network and save it again'
    )
