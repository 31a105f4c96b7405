"""Files that are put in their place whole, or not at all.

A file is written beside its place under a hidden name, ``.NAME.TOKEN.part``, that nobody can guess;
it is synced to the disk and takes the name in one step. Whatever fails, a full disk for example,
what was in the place stays there, and the hidden file goes. A program that is killed leaves the
hidden file, which may be deleted.
"""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from rexdense.destinations import check_destination, told
from rexdense.errors import UnwritableFile
from rexdense.hidden_files import HiddenFile, hidden_name, take_places


def atomic_write(
    path: str | Path,
    content: bytes | Callable[[BinaryIO], object],
    overwrite: bool = False,
    make_folder: bool = False,
) -> Path:
    """Write one file, and return ``path``.

    A file that is replaced keeps its permissions.

    Args:
        content: Bytes, or what writes them to an open file, which can be read as well.
        overwrite: Replace a file that is there.
        make_folder: Make the folder of the file, if need be.

    Raises:
        UnwritableFile: it cannot be written; see :func:`check_destination`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = atomic_write(Path(folder, 'new/a.txt'), b'whole', make_folder=True)
        ...     path.read_bytes()
        b'whole'
    """
    path = Path(path)
    if make_folder:
        with told(path):
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
    """Yield the hidden file that becomes ``path``, empty, for what writes to a path alone.

    Args:
        overwrite: Replace a file that is there.
        keep_ending: Let the hidden name end as that of ``path``, for what goes by the ending.
        keep_link: As for :func:`check_destination`.

    Raises:
        UnwritableFile: it cannot be written; what the operating system refuses within counts.
    """
    ending = Path(path).suffix if keep_ending else ''
    options = dict(overwrite=overwrite, ending=ending, keep_link=keep_link)
    with files_written_aside(path, **options) as (file,), told(Path(path)):
        yield Path(file.name)


@contextlib.contextmanager
def files_written_aside(
    *paths: str | Path,
    overwrite: bool = False,
    ending: str = '',
    keep_link: bool = True,
) -> Iterator[list[BinaryIO]]:
    """Open files that become ``paths`` when the block ends well, and vanish when it does not.

    They can be read as well. All of them get to their places, or none does: where a later one
    cannot, those that the earlier ones replaced come back. Killed between the first and the last, a
    program leaves what it replaced under the hidden name ``.NAME.TOKEN.old``.

    Args:
        overwrite, keep_link: As for :func:`check_destination`.
        ending: What the hidden names end with, behind ``.part``.

    Raises:
        UnwritableFile: one cannot be written. Any other error of the block passes as it is.
    """
    places = [check_destination(path, overwrite, keep_link=keep_link) for path in paths]
    if len(set(places)) < len(places):
        raise UnwritableFile(f'{paths[-1]} would be written twice: choose another name')
    hidden_files: list[HiddenFile] = []
    try:
        for path, place in zip(paths, places, strict=True):
            with told(path):
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
    """Yield ``write(name, content)``, whose files are a new folder ``path`` when the block ends
    well, and vanish when it does not. Nothing, or an empty folder, may be there before.

    Unlike single files they are not synced to the disk one by one.

    Raises:
        UnwritableFile: it cannot be written, or something is there.
    """
    path = Path(path)
    hidden = hidden_name(path)

    def write(name: str, content: bytes) -> None:
        file = hidden / name
        with told(path / name):
            _make_folder(file.parent)
            with open(file, 'xb') as opened:
                opened.write(content)

    try:
        with told(path):
            _make_folder(path.parent)
            hidden.mkdir()
        yield write
        with told(path):
            hidden.rename(path)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


@contextlib.contextmanager
def partial_file(part: Path, continued: bool) -> Iterator[BinaryIO]:
    """Open a file that comes in pieces, such as a download, and sync it at the end.

    Args:
        part: The unfinished file.
        continued: Go on behind what is there; otherwise it is emptied.
    """
    with part.open('ab' if continued else 'wb') as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def finish_partial(part: Path, path: Path) -> None:
    """Give the finished file its name, in place of one that is there."""
    os.replace(part, path)


@contextlib.contextmanager
def appended_whole(path: str | Path) -> Iterator[None]:
    """Take what the block has appended to a file away again where the operating system refuses it:
    a full disk takes a part of a line."""
    size = os.path.getsize(path) if os.path.exists(path) else 0
    try:
        yield
    except OSError:
        with contextlib.suppress(OSError):
            os.truncate(path, size)
        raise


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a new folder of the system's place for temporary files, which goes with all in it."""
    with tempfile.TemporaryDirectory(prefix='rexdense-', ignore_cleanup_errors=True) as folder:
        yield Path(folder)
