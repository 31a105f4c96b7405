"""Safe reading of checkpoint files of any known format, recognised by content."""

import contextlib
import dataclasses
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rexdense.checkpoint.formats.archives import open_archive, require_checksums
from rexdense.checkpoint.formats.content import (
    LEGACY_PICKLE,
    MINDSPORE,
    SAFETENSORS,
    ZIP_PICKLE,
    recognise_content,
)
from rexdense.checkpoint.formats.mindspore_ckpt import group_values, read_mindspore
from rexdense.checkpoint.formats.pickles import read_pickle
from rexdense.checkpoint.formats.safetensors_files import read_safetensors
from rexdense.errors import CheckpointUnreadable
from rexdense.files.destinations import reason

POINTER = 'last_checkpoint'
"""The file in which mmengine keeps the path of a run's last checkpoint."""
LONGEST_PATH, LONGEST_NAME = 4096, 255
"""Limits in bytes of a path and of a file name on Linux."""


@dataclasses.dataclass(frozen=True)
class CheckpointFile:
    """Content of a checkpoint file.

    Attributes:
        content: The saved object: a dictionary of tensors, or an object that contains one.
        kind: The file format, one of :mod:`rexdense.checkpoint.formats.content`.
        metadata: Notes in a safetensors header.
    """

    content: Any
    kind: str
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)


def read_checkpoint(
    path: str | Path, map_location: Any = 'cpu', trust_pickle: bool = False, mmap: bool = False
) -> CheckpointFile:
    """Read a torch (zip or older), safetensors or MindSpore file.

    Args:
        path: The file, or an mmengine work directory, in which ``last_checkpoint`` names the file.
        map_location: As for ``torch.load``.
        trust_pickle: Let a pickle run any code; if False, such a file is refused.
        mmap: Map tensors into memory instead of reading them, if the format allows it.

    Raises:
        CheckpointUnreadable: the file is missing, empty, damaged, of another format, larger than
            the memory, or would run code.
        MissingDependency: it is a safetensors file, and the package is not installed.
    """
    path = checkpoint_file(Path(path).expanduser())
    with as_unreadable(path):
        return _read(path, map_location, trust_pickle, mmap)


@contextlib.contextmanager
def as_unreadable(path: Path) -> Iterator[None]:
    """Turn errors of the operating system into a CheckpointUnreadable of ``path``."""
    try:
        yield
    except OSError as error:
        # Reading can fail despite the permissions: over NFS, or with a broken disk.
        raise CheckpointUnreadable(
            f'{path} cannot be read ({reason(error)}): check its permissions and its disk'
        ) from error


def _read(path: Path, map_location: Any, trust_pickle: bool, mmap: bool) -> CheckpointFile:
    kind = recognise_content(path)
    _check_size(path, kind)
    if kind == SAFETENSORS:
        device = map_location if isinstance(map_location, str) else 'cpu'
        tensors, notes = read_safetensors(path, device)
        return CheckpointFile(tensors, kind, notes)
    if kind == MINDSPORE:
        values = read_mindspore(path, mmap)
        groups = group_values(values)
        return CheckpointFile(groups if 'state_dict' in groups else values, kind)
    if kind == ZIP_PICKLE:
        require_checksums(path)
    # From a buffer, torch does not try its oldest format, a tar that it unpacks to disk.
    source = io.BytesIO(path.read_bytes()) if kind == LEGACY_PICKLE else path
    content = read_pickle(
        source, str(path), map_location, trust_pickle, mmap and kind != LEGACY_PICKLE
    )
    return CheckpointFile(content, kind)


def checkpoint_file(path: Path) -> Path:
    """Return the file to read for ``path``: itself, or the file of a work directory. Raise
    CheckpointUnreadable if it does not exist or cannot be opened."""
    # Unlike Path's methods, os.path accepts impossible file names.
    if os.path.isdir(path):
        named = pointed_name(path)
        if named is None:
            raise CheckpointUnreadable(
                f'{path} is a folder without a file {POINTER}, so no work directory: '
                'give the checkpoint file'
            )
        # The folder may be a stranger's: read only files in it.
        if not named or not os.path.isfile(path / named):
            raise CheckpointUnreadable(
                f'{POINTER} in {path} names {named or "nothing"}, which is no file in that folder: '
                'give the checkpoint file'
            )
        path = path / named
    if not os.path.exists(path):
        raise CheckpointUnreadable(f'{path} is not there: check the path')
    if not path.is_file():
        raise CheckpointUnreadable(f'{path} is no regular file')
    if not os.access(path, os.R_OK):
        raise CheckpointUnreadable(f'{path} cannot be read: check its permissions')
    return path


def names_checkpoint(path: Path) -> bool:
    """Return whether a path is a file or a work directory. Other folders do not hide published
    weights of the same name."""
    return os.path.isfile(path) or os.path.isfile(path / POINTER)


def pointed_name(folder: Path) -> str | None:
    """Return the file name in ``last_checkpoint`` of a work directory, '' if it is empty; None if
    there is no such file. Raise CheckpointUnreadable if it cannot be read.

    Only the name is used of the stored path, because the folder may have been moved.
    """
    pointer = folder / POINTER
    if not os.path.isfile(pointer):
        return None
    try:
        with pointer.open('rb') as file:
            text = file.read(LONGEST_PATH).decode(errors='replace')
    except OSError as error:
        raise CheckpointUnreadable(
            f'{pointer} cannot be read ({reason(error)}): check its permissions'
        ) from error
    named = Path(text.strip()).name[:LONGEST_NAME]
    return named if named.isprintable() else repr(named)[1:-1]


def _check_size(path: Path, kind: str) -> None:
    size, memory = path.stat().st_size, os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    if kind == ZIP_PICKLE:
        # A small archive can unpack to any size.
        with open_archive(path, str(path)) as archive:
            size = max(size, sum(record.file_size for record in archive.infolist()))
    if size > memory:
        raise CheckpointUnreadable(
            f'{path} holds {size / 2**30:.1f} GiB, this machine {memory / 2**30:.1f} GiB of '
            'memory: is it a checkpoint of these networks (at most 2 GiB with optimiser state)?'
        )
