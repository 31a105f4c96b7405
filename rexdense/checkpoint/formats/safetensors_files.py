"""Safetensors files, with the package safetensors."""

import types
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from torch import Tensor

from rexdense.errors import CheckpointUnreadable, MissingDependency


def read_safetensors(path: Path, device: str = 'cpu') -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a file, and the notes in its header.

    Raises:
        CheckpointUnreadable: the file is damaged.
        MissingDependency: the package safetensors is not installed.
    """
    safetensors = _package()
    try:
        with safetensors.safe_open(path, framework='pt', device=device) as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    # Unknown dtypes and impossible shapes raise errors of several kinds.
    except Exception as error:
        raise CheckpointUnreadable(
            f'{path} is a safetensors file, cut off or damaged ({error}): copy or download it again'
        ) from error


def write_safetensors(
    tensors: Mapping[str, Tensor], notes: Mapping[str, str], file: BinaryIO
) -> None:
    """Write tensors with notes in the header; the package sorts them by type and name. It raises
    like :func:`read_safetensors` if the package is missing."""
    # The package refuses shared memory and non-contiguous tensors.
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    as_bytes = _package().torch.save
    file.write(as_bytes(plain, {'format': 'pt', **notes}))


def _package() -> types.ModuleType:
    try:
        import safetensors.torch
    except ImportError as error:
        raise MissingDependency(
            'for safetensors files the package safetensors is not installed: '
            'pip install safetensors, or use a .pth file'
        ) from error
    return safetensors
