"""Renaming of a network's tensors between a project and rexdense."""

from collections.abc import Mapping

import torch
from torch import Tensor

from rexdense.arch import Architecture
from rexdense.checkpoint.names.native import COUNTER, HEAD, level_of
from rexdense.checkpoint.names.recognition import Recognised
from rexdense.checkpoint.schemes import Scheme
from rexdense.errors import CheckpointMismatch


def reshaped(tensor: Tensor, dimensions: int) -> Tensor:
    """Convert the weight of a linear layer to that of a 1x1 convolution, or the reverse."""
    if dimensions == 2 and tensor.dim() == 4 and tensor.shape[2:] == (1, 1):
        return tensor.flatten(1)
    if dimensions == 4 and tensor.dim() == 2:
        return tensor[:, :, None, None]
    return tensor


def to_native(
    tensors: Mapping[str, Tensor], found: Recognised, architecture: Architecture
) -> dict[str, Tensor]:
    """Return those tensors of a network that the checkpoint holds, with rexdense's names.

    Example:
        >>> import rexdense
        >>> from rexdense.arch import architecture
        >>> from rexdense.checkpoint.names.identification import recognise
        >>> state = rexdense.create_backbone('rexnet_1.0').state_dict()
        >>> tensors = to_native(state, recognise(state), architecture('rexnet_1.0'))
        >>> list(tensors) == list(state)
        True
    """
    native = {}
    for entry in found.scheme.entries(architecture):
        key = found.name_of(entry)
        if key in tensors:
            # Only the last layer can have two forms; rexdense's is linear.
            linear = entry.native == f'{HEAD}fc.weight'
            native[entry.native] = reshaped(tensors[key], 2) if linear else tensors[key]
    return native


def from_native(
    native: Mapping[str, Tensor], scheme: Scheme, architecture: Architecture
) -> dict[str, Tensor]:
    """Return the tensors of a network with a project's names, in its order.

    Args:
        native: Tensors with rexdense's names. The head, the deepest levels and batch counters may
            be missing; counters become 0.
        scheme: The project's names.
        architecture: The network.

    Raises:
        CheckpointMismatch: the project has no such network or no name for a tensor, or tensors are
            missing.
    """
    entries = scheme.entries(architecture)
    if not entries:
        raise CheckpointMismatch(
            f'{scheme.title} has no such {architecture.family}; it has networks of '
            f'{", ".join(scheme.families)}'
        )
    with_head = any(name.startswith(HEAD) for name in native)
    deepest = max(map(level_of, native), default=-1)
    wanted = [
        entry
        for entry in entries
        if (with_head if entry.native.startswith(HEAD) else level_of(entry.native) <= deepest)
    ]
    counter = torch.zeros((), dtype=torch.int64)
    renamed, missing = {}, []
    for entry in wanted:
        if entry.native in native:
            renamed[entry.theirs] = reshaped(native[entry.native], len(entry.shape))
        elif entry.native.endswith(COUNTER):  # MindSpore has no counter.
            renamed[entry.theirs] = counter.clone()
        else:
            missing.append(entry.native)
    named = {entry.native for entry in entries}
    unnamed = [key for key in native if key not in named and not key.endswith(COUNTER)]
    if unnamed:
        raise CheckpointMismatch(
            f'{scheme.title} has no names for {len(unnamed)} tensors, first '
            f'{", ".join(unnamed[:3])}'
        )
    if missing:
        raise CheckpointMismatch(
            f'{len(missing)} tensors are missing for {scheme.title}, first {", ".join(missing[:3])}'
        )
    return renamed
