"""File locks by which processes take turns with a folder or a file."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from rexdense.files.destinations import as_unwritable, unwritable

LONGEST_HOLDER = 240
"""Bytes that are read of what a lock file says of its holder."""
# A link there would have another file emptied.
_OPENING = os.O_CREAT | os.O_RDWR | getattr(os, 'O_NOFOLLOW', 0)
# What says that a file system has no locks, or none for this file.
_NO_LOCKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.ENOLCK)


@contextlib.contextmanager
def held_alone(path: Path, holder: str) -> Iterator[str | None]:
    """Hold a lock file while the block runs, then delete it. Yield None, or the text in the file
    about the process that already holds it.

    The lock is one of the operating system (POSIX, per process). It ends with the process, so the
    file of a killed process blocks nobody, and neither do child processes that outlive it. NFS
    extends it to other machines if the lock service runs on the server. On a file system without
    locks nothing is protected.
    """
    import fcntl  # not on Windows

    while True:
        with as_unwritable(path):
            lock = os.open(path, _OPENING, 0o666)
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            with os.fdopen(lock, 'rb') as file:
                other = file.read(LONGEST_HOLDER).decode(errors='replace').strip()
            if error.errno in (errno.EACCES, errno.EAGAIN):
                yield other
            elif error.errno in _NO_LOCKS:
                yield None
            else:
                raise unwritable(path, error) from error
            return
        # Else the holder before has deleted the file since it was opened.
        if _is_file_of(lock, path):
            break
        os.close(lock)
    try:
        with contextlib.suppress(OSError):
            # On a full disk, for example: the lock works without its text.
            os.ftruncate(lock, 0)
            os.write(lock, holder.encode())
        yield None
    finally:
        # Left behind on a disk that was mounted read-only meanwhile, where it holds nobody up.
        # Where somebody has deleted it, the file there now is another's.
        with contextlib.suppress(OSError):
            if _is_file_of(lock, path):
                path.unlink()
        os.close(lock)


def _is_file_of(lock: int, path: Path) -> bool:
    """Return whether an open file is the one that is at a path."""
    try:
        return os.path.samestat(os.fstat(lock), os.stat(path))
    except FileNotFoundError:
        return False


def holder_of(path: Path) -> str | None:
    """Return the text in a lock file about the other process that holds it, see :func:`held_alone`.
    None if no process holds it, or if this cannot be determined. The file is not changed."""
    import fcntl  # not on Windows

    try:
        with open(path, 'rb') as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in (errno.EACCES, errno.EAGAIN):
                    return file.read(LONGEST_HOLDER).decode(errors='replace').strip()
    except OSError:
        pass
    return None


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Hold the lock file beside ``path`` while the block runs, so that processes take turns.

    No lock is taken if the folder is not writable or the file system has no locks. Any other error,
    such as a full disk, raises UnwritableFile.
    """
    import fcntl  # not on Windows

    file = path.with_name(f'.{path.name}.lock')
    try:
        lock = os.open(file, _OPENING, 0o666)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise unwritable(file, error) from error
        yield
        return
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise unwritable(file, error) from error
        yield
    finally:
        os.close(lock)
