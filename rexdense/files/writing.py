"""Atomic writing of files: each is written completely, or not at all.

A file is written in its folder under a hidden, random name, ``.NAME.TOKEN.part``, synced to the
disk and renamed. If anything fails, such as a full disk, the previous file stays and the hidden
file is deleted. A program that is killed leaves the hidden file, which may be deleted.
"""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from rexdense.errors import UnwritableFile
from rexdense.files.destinations import as_unwritable, check_destination
from rexdense.files.hidden_files import HiddenFile, hidden_name, take_places


def atomic_write(
    path: str | Path,
    content: bytes | Callable[[BinaryIO], object],
    overwrite: bool = False,
    make_folder: bool = False,
) -> Path:
    """Write one file and return ``path``. A replaced file keeps its permissions.

    Args:
        content: Bytes, or a function that writes to an open file, which is readable too.
        overwrite: Replace an existing file.
        make_folder: Create the folder of the file if it is missing.

    Raises:
        UnwritableFile: the file cannot be written; see :func:`check_destination`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = atomic_write(Path(folder, 'new/a.txt'), b'whole', make_folder=True)
        ...     path.read_bytes()
        b'whole'
    """
    path = Path(path)
    if make_folder:
        with as_unwritable(path):
            _make_folder(path.parent)
    with files_written_aside(path, overwrite=overwrite) as (file,):
        file.write(content) if isinstance(content, bytes) else content(file)
    return path


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None


@contextlib.contextmanager
def path_written_aside(
    path: str | Path, overwrite: bool = False, keep_ending: bool = False, keep_link: bool = True
) -> Iterator[Path]:
    """Yield the path of an empty hidden file that becomes ``path``, for writers that need a path.

    Args:
        overwrite: Replace an existing file.
        keep_ending: Give the hidden file the ending of ``path``, for writers that depend on it.
        keep_link: As for :func:`check_destination`.

    Raises:
        UnwritableFile: the file cannot be written; this includes errors of the operating system in
            the block.
    """
    ending = Path(path).suffix if keep_ending else ''
    options = dict(overwrite=overwrite, ending=ending, keep_link=keep_link)
    with files_written_aside(path, **options) as (file,), as_unwritable(Path(path)):
        yield Path(file.name)


@contextlib.contextmanager
def files_written_aside(
    *paths: str | Path,
    overwrite: bool = False,
    ending: str = '',
    keep_link: bool = True,
) -> Iterator[list[BinaryIO]]:
    """Open hidden files that become ``paths`` at the end of the block, or are deleted on an error.

    The files are readable too. Either all of them are renamed, or none: if a later one fails, the
    files that the earlier ones replaced are restored. A program that is killed between the first
    and the last leaves the replaced files under the hidden name ``.NAME.TOKEN.old``.

    Args:
        overwrite, keep_link: As for :func:`check_destination`.
        ending: Ending of the hidden names, after ``.part``.

    Raises:
        UnwritableFile: a file cannot be written. Other errors of the block pass unchanged.
    """
    places = [check_destination(path, overwrite, keep_link=keep_link) for path in paths]
    if len(set(places)) < len(places):
        raise UnwritableFile(f'{paths[-1]} would be written twice: choose another name')
    hidden_files: list[HiddenFile] = []
    try:
        for path, place in zip(paths, places, strict=True):
            with as_unwritable(path):
                hidden_files.append(HiddenFile.opened(Path(path), place, ending))
        try:
            yield [each.file for each in hidden_files]
        except Exception:
            for each in hidden_files:
                each.check()
            raise
        for each in hidden_files:
            each.finish()
        take_places(hidden_files, overwrite)
    finally:
        for each in hidden_files:
            each.discard()


@contextlib.contextmanager
def folder_written_aside(path: str | Path) -> Iterator[Callable[[str, bytes], None]]:
    """Yield ``write(name, content)``, whose files become the new folder ``path`` at the end of the
    block, or are deleted on an error. ``path`` may be an empty folder before.

    Unlike single files, they are not synced to the disk.

    Raises:
        UnwritableFile: the folder cannot be written, or exists with content.
    """
    path = Path(path)
    hidden = hidden_name(path)

    def write(name: str, content: bytes) -> None:
        file = hidden / name
        with as_unwritable(path / name):
            _make_folder(file.parent)
            with open(file, 'xb') as opened:
                opened.write(content)

    try:
        with as_unwritable(path):
            _make_folder(path.parent)
            hidden.mkdir()
        yield write
        with as_unwritable(path):
            hidden.rename(path)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


@contextlib.contextmanager
def partial_file(part: Path, continued: bool) -> Iterator[BinaryIO]:
    """Open a file that is written in pieces, such as a download, and sync it at the end.

    Args:
        part: The unfinished file.
        continued: Append to it; otherwise it is emptied.
    """
    with part.open('ab' if continued else 'wb') as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def finish_partial(part: Path, path: Path) -> None:
    """Rename the finished file to ``path``, replacing an existing one."""
    os.replace(part, path)


@contextlib.contextmanager
def appended_whole(path: str | Path) -> Iterator[None]:
    """Undo what the block appended to a file if the operating system fails: a full disk may accept
    a part of a line."""
    size = os.path.getsize(path) if os.path.exists(path) else 0
    try:
        yield
    except OSError:
        with contextlib.suppress(OSError):
            os.truncate(path, size)
        raise


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a new temporary folder, which is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix='rexdense-', ignore_cleanup_errors=True) as folder:
        yield Path(folder)
