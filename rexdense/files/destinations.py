"""Checks of the places to which files are written."""

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from rexdense.errors import InvalidArgument, UnwritableFile

_TAKES_NO_MORE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
_MAKE_ROOM = 'make room or choose another place'
_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), _MAKE_ROOM),
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS), 'choose a folder that you may write to'
    ),
    errno.EFBIG: 'files there may not be as large; choose another place',
    errno.ENAMETOOLONG: 'give it a shorter name',
}


def check_destination(
    path: str | Path,
    overwrite: bool = False,
    inputs: Iterable[str | Path] = (),
    keep_link: bool = True,
) -> Path:
    """Check that a file may be written; return its path, with links resolved.

    Args:
        overwrite: Whether an existing file may be replaced.
        inputs: Files that the program reads, which are never replaced.
        keep_link: Off, a link is replaced like a file, and what it points to stays.

    Raises:
        InvalidArgument: the file is an input.
        UnwritableFile: the file exists and ``overwrite`` is False; it is a folder, a device or a
            broken link; it may not be written; or its folder is missing.
    """
    path = Path(path)
    with as_unwritable(path):
        if '\0' in str(path):
            raise OSError(errno.EINVAL, 'a NUL in its name')
        if not keep_link and path.is_symlink():
            if not overwrite:
                raise already_there(path)
            return Path(os.path.realpath(path.parent), path.name)
        place = Path(os.path.realpath(path))
        there = place.stat() if place.exists() else None
        if there is None and path.is_symlink():
            raise UnwritableFile(
                f'{path} is a link to {os.readlink(path)}, which is not there: delete the link or '
                'choose another name'
            )
        if there is not None and stat.S_ISDIR(there.st_mode):
            raise UnwritableFile(f'{path} is a folder: give the name of a file')
        if there is not None and not stat.S_ISREG(there.st_mode):
            raise UnwritableFile(f'{path} is a device or pipe: give the name of a file')
        if not place.parent.is_dir():
            raise UnwritableFile(f'{path} cannot be written: make the folder {place.parent} first')
        refuse_inputs([path], inputs)
        if there is not None and not overwrite:
            raise already_there(path)
        if there is not None and not os.access(place, os.W_OK):
            # Raises the operating system's error, if there is one.
            os.close(os.open(place, os.O_WRONLY))
    return place


def refuse_inputs(outputs: Iterable[str | Path], inputs: Iterable[str | Path]) -> None:
    """Raise InvalidArgument if an output is an input, also by a relative path, a link or a hard
    link."""
    known = {identity: path for path in inputs for identity in _identities(path)}
    for output in outputs:
        for identity in _identities(output):
            if identity in known:
                read = known[identity]
                other = '' if str(read) == str(output) else f', as {read},'
                raise InvalidArgument(
                    f'{output} is read{other} by this command and would be replaced: choose '
                    'another place'
                )


def _identities(path: str | Path) -> Iterator[object]:
    """Yield the identities of a file, which all its names share."""
    yield os.path.realpath(path)
    with contextlib.suppress(OSError, ValueError):
        found = os.stat(path)
        yield found.st_dev, found.st_ino


@contextlib.contextmanager
def as_unwritable(path: str | Path) -> Iterator[None]:
    """Turn errors of the operating system into an UnwritableFile of ``path``."""
    try:
        yield
    except (OSError, UnicodeEncodeError) as error:
        raise unwritable(path, error) from error


@contextlib.contextmanager
def disk_errors_as_unwritable(folder: str | Path) -> Iterator[None]:
    """Turn errors of the disk of a folder into an UnwritableFile of the folder.

    These are a full disk, an exhausted quota, a read-only mount, a file that is too large, and any
    error about a path in the folder, which somebody may have deleted or made inaccessible. Other
    errors of the operating system pass unchanged.
    """
    try:
        yield
    except OSError as error:
        if not (takes_no_more(error) or _lies_in(error.filename, folder)):
            raise
        raise unwritable(folder, error) from error


def _lies_in(path: object, folder: str | Path) -> bool:
    if not isinstance(path, (str, Path)):
        return False
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def takes_no_more(error: BaseException | None) -> bool:
    """Return whether an error means that the disk accepts no more data."""
    return isinstance(error, OSError) and error.errno in _TAKES_NO_MORE


def prepare_output_dir(folder: str | Path, option: str) -> Path:
    """Create a folder. Raise InvalidArgument, with the option that chose it, if it is not
    writable."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InvalidArgument(
            f'{option} {folder} cannot be written ({error.strerror}); choose another folder'
        ) from error
    return folder


def already_there(path: str | Path) -> UnwritableFile:
    """Return the error for an existing file that may not be replaced."""
    return UnwritableFile(f'{path} exists: choose another name, or pass --overwrite')


def unwritable(path: str | Path, error: Exception) -> UnwritableFile:
    """Return the error for a file that the operating system refuses, with a remedy."""
    remedy = _REMEDIES.get(getattr(error, 'errno', 0), 'choose another place')
    name = str(path).encode(errors='backslashreplace').decode().replace('\0', '\\0')
    return UnwritableFile(f'{name} cannot be written ({reason(error)}): {remedy}')


def reason(error: Exception) -> str:
    """Return the operating system's message."""
    return getattr(error, 'strerror', None) or str(error)
