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

__all__ = [
    'FORMATS',
    'check_destination',
    'check_format',
    'files_written_aside',
    'write_checkpoint',
    'write_tensors',
]

FORMATS = ('.pth', '.safetensors', '.ckpt')


@contextlib.contextmanager
def files_written_aside(*paths: str | Path, overwrite: bool = False) -> Iterator[list[BinaryIO]]:
    """Open files that become ``paths`` when the block ends well, and vanish when it does not.

    They can be read as well. All of them get to their places, or none does.

    Raises:
        InvalidArgument: a path exists and ``overwrite`` is off, or it cannot be written.
    """
    places = [Path(path).expanduser() for path in paths]
    for place in places:
        check_destination(place, overwrite)
    place, asides, moved = places[0], [], []
    try:
        with contextlib.ExitStack() as opened:
            files = []
            for place in places:
                file = opened.enter_context(
                    tempfile.NamedTemporaryFile(
                        dir=place.parent, prefix=f'.{place.name}.', delete=False
                    )
                )
                asides.append(file.name)
                files.append(file)
            place = places[0]
            yield files
            for place, file in zip(places, files, strict=True):  # noqa: B007 (for the message)
                file.flush()
                os.fsync(file.fileno())
        for place, aside in zip(places, asides, strict=True):
            # Temporary files are private; a checkpoint gets the permissions of any other file.
            os.chmod(aside, 0o666 & ~_umask())
            os.replace(aside, place)
            moved.append(place)
    # torch's writer of zip files wraps what the operating system says in a RuntimeError.
    except (OSError, RuntimeError) as error:
        for written in moved:
            written.unlink(missing_ok=True)
        raise InvalidArgument(
            f'{place} cannot be written ({_reason(error)}): make room or choose another place'
        ) from error
    finally:
        for aside in asides:
            if os.path.exists(aside):
                os.unlink(aside)


def _reason(error: BaseException) -> str:
    """Return what the operating system said, which torch's error may have for its context."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return str(error).splitlines()[0]


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
    check_format(path)
    with files_written_aside(path, overwrite=overwrite) as (file,):
        write_tensors(file, path.suffix, tensors, metadata)
    return path


def check_format(path: Path) -> None:
    """Raise InvalidArgument where the suffix is that of no format that is written."""
    if path.suffix not in FORMATS:
        raise InvalidArgument(f'{path}: the name must end in one of {", ".join(FORMATS)}')


def write_tensors(
    file: BinaryIO,
    suffix: str,
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write to an open file what :func:`write_checkpoint` writes to a path of that suffix."""
    if suffix == '.ckpt':
        write_mindspore(tensors, file)
    elif suffix == '.safetensors':
        notes = {key: json.dumps(value) for key, value in (metadata or {}).items()}
        write_safetensors(tensors, notes, file)
    else:
        # A view would drag the whole of what it views into the file.
        plain = {name: tensor.detach().clone() for name, tensor in tensors.items()}
        wrapped = {'meta': dict(metadata or {}), 'state_dict': plain}
        torch.save(plain if metadata is None else wrapped, file)
