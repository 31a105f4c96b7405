"""Checkpoint files, written aside and moved into place when they are whole."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from rexdense.checkpoint.mindspore_ckpt import write_mindspore
from rexdense.checkpoint.safetensors_files import write_safetensors
from rexdense.errors import InvalidArgument

__all__ = ['FORMATS', 'check_destination', 'file_written_aside', 'write_checkpoint']

FORMATS = ('.pth', '.safetensors', '.ckpt')


@contextlib.contextmanager
def file_written_aside(path: str | Path, overwrite: bool = False) -> Iterator[BinaryIO]:
    """Open a file that becomes ``path`` when the block ends well, and vanishes when it does not.

    Raises:
        InvalidArgument: ``path`` exists and ``overwrite`` is off, or it cannot be written.
    """
    path = Path(path).expanduser()
    check_destination(path, overwrite)
    aside = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f'.{path.name}.', delete=False
        ) as file:
            aside = file.name
            yield file
            file.flush()
            os.fsync(file.fileno())
        # Temporary files are private; a checkpoint gets the permissions of any other file.
        os.chmod(aside, 0o666 & ~_umask())
        os.replace(aside, path)
    # torch's writer of zip files wraps what the operating system says in a RuntimeError.
    except (OSError, RuntimeError) as error:
        reason = getattr(error, 'strerror', None) or str(error).splitlines()[0]
        raise InvalidArgument(
            f'{path} cannot be written ({reason}): make room or choose another place'
        ) from error
    finally:
        if aside and os.path.exists(aside):
            os.unlink(aside)


def check_destination(path: str | Path, overwrite: bool = False) -> None:
    """Raise InvalidArgument where a file cannot be written to ``path``, as far as can be seen."""
    path = Path(path).expanduser()
    if path.is_dir():
        raise InvalidArgument(f'{path} is a folder: give the name of a file')
    if not path.parent.is_dir():
        raise InvalidArgument(f'{path} cannot be written: make the folder {path.parent} first')
    if path.exists() and not overwrite:
        raise InvalidArgument(f'{path} exists: choose another name, or pass --overwrite')


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_checkpoint(
    path: str | Path,
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write tensors to a file whose suffix says the format, and return its path.

    Args:
        path: ``.pth`` is torch's zip, ``.safetensors`` that format, ``.ckpt`` MindSpore's.
        tensors: By name; the order is kept.
        metadata: Plain values that say where the weights are from. With it a ``.pth`` file holds
            ``state_dict`` and ``meta``, without it the bare tensors; ``.ckpt`` has no place for it.
        overwrite: Replace a file that is there.

    Raises:
        InvalidArgument: another suffix, the file exists, or it cannot be written.
    """
    path = Path(path).expanduser()
    if path.suffix not in FORMATS:
        raise InvalidArgument(f'{path}: the name must end in one of {", ".join(FORMATS)}')
    with file_written_aside(path, overwrite) as file:
        if path.suffix == '.ckpt':
            write_mindspore(tensors, file)
        elif path.suffix == '.safetensors':
            notes = {key: json.dumps(value) for key, value in (metadata or {}).items()}
            write_safetensors(tensors, notes, file)
        else:
            # A view would drag the whole of what it views into the file.
            plain = {name: tensor.detach().clone() for name, tensor in tensors.items()}
            wrapped = {'meta': dict(metadata or {}), 'state_dict': plain}
            torch.save(plain if metadata is None else wrapped, file)
    return path
