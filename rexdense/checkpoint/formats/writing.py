"""Writing of checkpoint files in the formats of torch, safetensors and MindSpore."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from rexdense.checkpoint.formats.mindspore_ckpt import write_mindspore
from rexdense.checkpoint.formats.safetensors_files import write_safetensors
from rexdense.errors import InvalidArgument
from rexdense.files.writing import atomic_write

FORMATS = ('.pth', '.safetensors', '.ckpt')


def write_checkpoint(
    path: str | Path,
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write tensors to a file, in the format of its suffix, and return its path.

    Args:
        path: ``.pth`` for torch's zip format, ``.safetensors``, or ``.ckpt`` for MindSpore.
        tensors: Tensors by name; the order is kept.
        metadata: Plain values on the origin of the weights. With it, a ``.pth`` file holds
            ``state_dict`` and ``meta``; without it, the bare tensors. ``.ckpt`` cannot store it.
        overwrite: Replace an existing file.

    Raises:
        InvalidArgument: another suffix, the file exists, or it cannot be written.
    """
    path = Path(path).expanduser()
    check_format(path)
    write = functools.partial(write_tensors, suffix=path.suffix, tensors=tensors, metadata=metadata)
    return atomic_write(path, write, overwrite)


def check_format(path: Path) -> None:
    """Raise InvalidArgument if no writable format has this suffix."""
    if path.suffix not in FORMATS:
        raise InvalidArgument(f'{path}: the name must end in one of {", ".join(FORMATS)}')


def write_tensors(
    file: BinaryIO,
    suffix: str,
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write to an open file as :func:`write_checkpoint` does to a path with that suffix."""
    if suffix == '.ckpt':
        write_mindspore(tensors, file)
    elif suffix == '.safetensors':
        notes = {key: json.dumps(value) for key, value in (metadata or {}).items()}
        write_safetensors(tensors, notes, file)
    else:
        # torch.save would write the whole storage of a view.
        plain = {name: tensor.detach().clone() for name, tensor in tensors.items()}
        wrapped = {'meta': dict(metadata or {}), 'state_dict': plain}
        torch.save(plain if metadata is None else wrapped, file)
