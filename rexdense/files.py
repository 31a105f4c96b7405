"""Files that are put in their place whole, or not at all.

A file is written beside its place under a hidden name, ``.NAME.TOKEN.part``, that nobody can guess;
it is synced to the disk and takes the name in one step. Whatever fails, a full disk for example,
what was in the place stays there, and the hidden file goes. A program that is killed leaves the
hidden file, which may be deleted.
"""

import contextlib
import errno
import io
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rexdense.destinations import already_there, check_destination, reason, told, unwritable
from rexdense.errors import UnwritableFile

__all__ = [
    'LONGEST_NAME',
    'atomic_write',
    'files_written_aside',
    'finish_partial',
    'folder_written_aside',
    'partial_file',
    'path_written_aside',
    'scratch_folder',
    'written_for',
]

ASIDE, BACKUP = 'part', 'old'
"""The endings of hidden files: one that is being written, and one that another is replacing."""
LONGEST_NAME = 240
"""Bytes of a file's name; most file systems allow 255."""

_HIDDEN_NAME = re.compile(rf'\.(.+)\.[0-9a-f]{{16}}\.{ASIDE}')
# What says that a file system has no hard links, or none to this file.
_NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
# What says that a file system cannot sync folders.
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM, errno.EBADF)


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
    path: str | Path, overwrite: bool = False, keep_ending: bool = False
) -> Iterator[Path]:
    """Yield the hidden file that becomes ``path``, empty, for what writes to a path alone.

    Args:
        overwrite: Replace a file that is there.
        keep_ending: Let the hidden name end as that of ``path``, for what goes by the ending.

    Raises:
        UnwritableFile: it cannot be written; what the operating system refuses within counts.
    """
    ending = Path(path).suffix if keep_ending else ''
    with files_written_aside(path, overwrite=overwrite, ending=ending) as (file,), told(Path(path)):
        yield Path(file.name)


@contextlib.contextmanager
def files_written_aside(
    *paths: str | Path,
    overwrite: bool = False,
    inputs: Iterable[str | Path] = (),
    ending: str = '',
) -> Iterator[list[BinaryIO]]:
    """Open files that become ``paths`` when the block ends well, and vanish when it does not.

    They can be read as well. All of them get to their places, or none does: where a later one
    cannot, those that the earlier ones replaced come back. Killed between the first and the last, a
    program leaves what it replaced under the hidden name ``.NAME.TOKEN.old``.

    Args:
        overwrite, inputs: As for :func:`check_destination`.
        ending: What the hidden names end with, behind ``.part``.

    Raises:
        UnwritableFile: one cannot be written. Any other error of the block passes as it is.
    """
    places = [check_destination(path, overwrite, inputs) for path in paths]
    if len(set(places)) < len(places):
        raise UnwritableFile(f'{paths[-1]} would be written twice: choose another name')
    asides: list[_Aside] = []
    try:
        for path, place in zip(paths, places, strict=True):
            with told(path):
                asides.append(_open_aside(Path(path), place, ending))
        try:
            yield [aside.file for aside in asides]
        except Exception:
            _check(asides)
            raise
        for aside in asides:
            with told(aside.path):
                aside.file.flush()
                _check([aside])
                _keep_permissions(aside)
                os.fsync(aside.raw.fileno())
                aside.file.close()
        _move(asides, overwrite)
    finally:
        for aside in asides:
            # Without a last flush, which would fail once more on a full disk.
            aside.raw.close()
            aside.hidden.unlink(missing_ok=True)


class _Watched(io.FileIO):
    """A file that remembers why it could not be written: torch's writer of zip files makes a
    RuntimeError of it that does not say."""

    failure: OSError | None = None

    def write(self, content) -> int:
        try:
            return super().write(content)
        except OSError as error:
            self.failure = error
            raise


class _Aside(NamedTuple):
    """A file that is being written: what was asked for, the place, and the hidden file."""

    path: Path
    place: Path
    hidden: Path
    raw: _Watched
    file: BinaryIO


def _open_aside(path: Path, place: Path, ending: str) -> _Aside:
    # Others can never read more of it than of the file that it replaces.
    mode = place.stat().st_mode & 0o777 if place.exists() else 0o666
    hidden = _hidden(place, ASIDE + ending)
    raw = _Watched(hidden, 'x+', opener=lambda name, flags: os.open(name, flags, mode | 0o600))
    return _Aside(path, place, hidden, raw, io.BufferedRandom(raw))


def written_for(name: str) -> str | None:
    """Return the name of the file for which a hidden one was written, None for any other.

    Example:
        >>> written_for('.epoch_1.pth.0123456789abcdef.part'), written_for('epoch_1.pth')
        ('epoch_1.pth', None)
    """
    found = _HIDDEN_NAME.fullmatch(name)
    return found and found[1]


def _hidden(place: Path, ending: str) -> Path:
    """Return a new name beside a place."""
    start = os.fsencode(place.name)[: LONGEST_NAME - 40].decode(errors='ignore')
    return place.with_name(f'.{start}.{secrets.token_hex(8)}.{ending}')


def _check(asides: Iterable[_Aside]) -> None:
    for aside in asides:
        if aside.raw.failure is not None:
            raise unwritable(aside.path, aside.raw.failure) from aside.raw.failure


def _keep_permissions(aside: _Aside) -> None:
    """Give the file the owner, as far as possible, and the permissions of the one it replaces."""
    if os.name == 'posix' and aside.place.exists():
        there = aside.place.stat()
        # Not all may give files away, and not all file systems have permissions.
        with contextlib.suppress(OSError):
            os.fchown(aside.raw.fileno(), there.st_uid, there.st_gid)
        with contextlib.suppress(OSError):
            os.fchmod(aside.raw.fileno(), there.st_mode & 0o777)


def _move(asides: list[_Aside], overwrite: bool) -> None:
    """Give all files their names, or none."""
    backups: dict[Path, Path] = {}
    moved: list[_Aside] = []
    try:
        for aside in asides if len(asides) > 1 else ():
            if os.path.lexists(aside.place):
                backups[aside.place] = _hidden(aside.place, BACKUP)
                with told(aside.path):
                    _link_or_copy(aside.place, backups[aside.place])
        for aside in asides:
            with told(aside.path):
                os.replace(aside.hidden, aside.place) if overwrite else _rename_to_new(aside)
                moved.append(aside)
                _sync_folder(aside.place.parent)
    except BaseException:
        for aside in moved:
            _put_back(aside, backups.pop(aside.place, None))
        raise
    finally:
        for backup in backups.values():
            backup.unlink(missing_ok=True)


def _put_back(aside: _Aside, backup: Path | None) -> None:
    """Bring back what a file has replaced."""
    try:
        if backup is None:
            aside.place.unlink(missing_ok=True)
        else:
            os.replace(backup, aside.place)
    except OSError as error:
        kept = 'delete it' if backup is None else f'what was there is {backup}: rename it'
        raise UnwritableFile(
            f'{aside.path} was written and could not be taken back ({reason(error)}); {kept}'
        ) from error


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copy2(source, target)


def _rename_to_new(aside: _Aside) -> None:
    """Rename a file; unlike os.replace, never onto one that came to be there meanwhile."""
    try:
        os.link(aside.hidden, aside.place)
    except OSError as error:
        if error.errno == errno.EEXIST or os.path.lexists(aside.place):
            raise already_there(aside.path) from error
        if error.errno not in _NO_LINKS:
            raise
        os.replace(aside.hidden, aside.place)


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder outlast a power failure, where the system can."""
    if os.name != 'posix':
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


@contextlib.contextmanager
def folder_written_aside(path: str | Path) -> Iterator[Callable[[str, bytes], None]]:
    """Yield ``write(name, content)``, whose files are a new folder ``path`` when the block ends
    well, and vanish when it does not. Nothing, or an empty folder, may be there before.

    Unlike single files they are not synced to the disk one by one.

    Raises:
        UnwritableFile: it cannot be written, or something is there.
    """
    path = Path(path)
    hidden = _hidden(path, ASIDE)

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
def scratch_folder() -> Iterator[Path]:
    """Yield a new folder of the system's place for temporary files, which goes with all in it."""
    with tempfile.TemporaryDirectory(prefix='rexdense-', ignore_cleanup_errors=True) as folder:
        yield Path(folder)
