"""Checks that tensors can be weights: plain, with finite numbers."""

from collections.abc import Mapping

import torch
from torch import Tensor

from rexdense.errors import CheckpointMismatch

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_OF_FLOATS = ('weight', 'bias', 'running_mean', 'running_var')


def check_values(name: str, tensors: Mapping[str, Tensor], allow_non_finite: bool = False) -> None:
    """Raise CheckpointMismatch, with the tensors' names, if a tensor cannot be a weight.

    Refused are quantised, complex, sparse and 8-bit tensors, tensors without values (on the meta
    device), integers in place of floating-point numbers, and, without ``allow_non_finite``, NaN and
    infinite values.
    """
    odd = [key for key, tensor in tensors.items() if not _is_plain(key, tensor)]
    if odd:
        first = tensors[odd[0]]
        raise CheckpointMismatch(
            f'{name} has {len(odd)} tensors that are no weights, first {odd[0]}, which is '
            f'{first.dtype}, {first.layout} on {first.device}: save the network in float32, on a '
            'cpu'
        )
    if allow_non_finite:
        return
    # A finite sum means finite terms and needs no second tensor, but the sum may overflow.
    broken = [
        key
        for key, tensor in tensors.items()
        if tensor.is_floating_point()
        and not tensor.sum().isfinite()
        and not tensor.isfinite().all()
    ]
    if broken:
        raise CheckpointMismatch(
            f'{name} has NaN or infinite values in {len(broken)} tensors '
            f'({", ".join(broken[:3])}): take an earlier checkpoint of that training, or allow '
            'them with --allow-non-finite (allow_non_finite=True in Python)'
        )


def _is_plain(key: str, tensor: Tensor) -> bool:
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
        return False
    whole = not (tensor.is_floating_point() or tensor.is_complex())
    return tensor.dtype in _FLOATS or (whole and not key.endswith(_OF_FLOATS))
