"""Safetensors files: read by that package, written here so that the names keep their order."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from rexdense.errors import CheckpointUnreadable, MissingDependency

__all__ = ['read_safetensors', 'write_safetensors']

# https://github.com/huggingface/safetensors, README, section "Format".
TYPE_NAMES = {
    torch.float64: 'F64',
    torch.int64: 'I64',
    torch.uint64: 'U64',
    torch.float32: 'F32',
    torch.int32: 'I32',
    torch.uint32: 'U32',
    torch.float16: 'F16',
    torch.bfloat16: 'BF16',
    torch.int16: 'I16',
    torch.uint16: 'U16',
    torch.int8: 'I8',
    torch.uint8: 'U8',
    torch.bool: 'BOOL',
}
LENGTH_BYTES = 8
ALIGNMENT = 8
NOTES = '__metadata__'


def read_safetensors(path: Path, device: str = 'cpu') -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a file in the order of its header, and the notes in that header.

    Raises:
        CheckpointUnreadable: the file is damaged.
        MissingDependency: the package safetensors is not installed.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise MissingDependency(
            f'{path} is a safetensors file, and the package that reads them is not installed: '
            'pip install safetensors'
        ) from error
    try:
        with safe_open(path, framework='pt', device=device) as file:
            tensors = {name: file.get_tensor(name) for name in _names(path)}
            return tensors, file.metadata() or {}
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise CheckpointUnreadable(
            f'{path} is a safetensors file, cut off or damaged ({error}): copy or download it again'
        ) from error


def _names(path: Path) -> list[str]:
    with path.open('rb') as file:
        length = int.from_bytes(file.read(LENGTH_BYTES), 'little')
        return [name for name in json.loads(file.read(length)) if name != NOTES]


def write_safetensors(
    tensors: Mapping[str, Tensor], notes: Mapping[str, str], file: BinaryIO
) -> None:
    """Write tensors, whose names stand in the header in the order given.

    The bytes are ordered by the size of an element, so that each tensor is aligned to its own: the
    package would sort the names as well.
    """
    header: dict[str, Any] = {NOTES: {'format': 'pt', **notes}, **dict.fromkeys(tensors)}
    largest_first = sorted(tensors, key=lambda name: -tensors[name].element_size())
    end = 0
    for name in largest_first:
        tensor = tensors[name]
        start, end = end, end + math.prod(tensor.shape) * tensor.element_size()
        header[name] = {
            'dtype': TYPE_NAMES[tensor.dtype],
            'shape': list(tensor.shape),
            'data_offsets': [start, end],
        }
    encoded = json.dumps(header, separators=(',', ':')).encode()
    encoded += b' ' * (-len(encoded) % ALIGNMENT)
    file.write(len(encoded).to_bytes(LENGTH_BYTES, 'little') + encoded)
    for name in largest_first:
        content = tensors[name].detach().cpu().contiguous().flatten()
        file.write(memoryview(content.view(torch.uint8).numpy()))
