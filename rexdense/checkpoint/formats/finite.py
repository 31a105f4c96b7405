"""Tensors that can be weights: plain ones, of finite numbers."""

from collections.abc import Mapping

import torch
from torch import Tensor

from rexdense.errors import CheckpointMismatch

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_OF_FLOATS = ('weight', 'bias', 'running_mean', 'running_var')


def check_values(name: str, tensors: Mapping[str, Tensor], allow_non_finite: bool = False) -> None:
    """Raise CheckpointMismatch, naming the tensors, where one cannot be a weight.

    Quantised, complex, sparse and 8-bit tensors cannot, nor those without values (of the meta
    device), nor integers where numbers with a fraction belong; NaN and infinite values only where
    ``allow_non_finite`` says so.
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
    # A sum is finite only if all terms are, and costs no second tensor. It may overflow.
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
