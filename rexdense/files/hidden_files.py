"""Files under a hidden name, ``.NAME.TOKEN.part``, until all or none are renamed."""

import contextlib
import errno
import io
import os
import re
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rexdense.errors import UnwritableFile
from rexdense.files.destinations import already_there, as_unwritable, reason, unwritable

ASIDE, BACKUP = 'part', 'old'
"""Endings of hidden files: a file being written, and a backup of a file being replaced."""
LONGEST_NAME = 240
"""Longest file name in bytes; most file systems allow 255."""

_HIDDEN_NAME = re.compile(rf'\.(.+)\.[0-9a-f]{{16}}\.{ASIDE}')
# Errors of a file system that has no hard links, or none to this file.
_NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
# Errors of a file system that cannot sync folders.
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM, errno.EBADF)


def hidden_name(place: Path, ending: str = ASIDE) -> Path:
    """Return a new hidden name in the same folder."""
    start = os.fsencode(place.name)[: LONGEST_NAME - 40].decode(errors='ignore')
    return place.with_name(f'.{start}.{secrets.token_hex(8)}.{ending}')


def written_for(name: str) -> str | None:
    """Return the name of the file for which a hidden file was written; None for any other name.

    Example:
        >>> written_for('.epoch_1.pth.0123456789abcdef.part'), written_for('epoch_1.pth')
        ('epoch_1.pth', None)
    """
    found = _HIDDEN_NAME.fullmatch(name)
    return found and found[1]


class _Watched(io.FileIO):
    """A file that keeps its write error, because torch's zip writer raises a RuntimeError without
    the reason."""

    failure: OSError | None = None

    def write(self, content) -> int:
        try:
            return super().write(content)
        except OSError as error:
            self.failure = error
            raise


class HiddenFile(NamedTuple):
    """A file that is being written.

    Attributes:
        path: The requested path, for messages.
        place: The final path.
        hidden: The path while writing.
        raw: The file without a buffer.
        file: The file to write to.
    """

    path: Path
    place: Path
    hidden: Path
    raw: _Watched
    file: BinaryIO

    @classmethod
    def opened(cls, path: Path, place: Path, ending: str = '') -> 'HiddenFile':
        """Open a new file.

        Args:
            ending: Ending of the hidden name, after ``.part``.
        """
        # No one may read more of it than of the file that it replaces.
        mode = place.stat().st_mode & 0o777 if place.exists() else 0o666
        hidden = hidden_name(place, ASIDE + ending)
        raw = _Watched(hidden, 'x+', opener=lambda name, flags: os.open(name, flags, mode | 0o600))
        return cls(path, place, hidden, raw, io.BufferedRandom(raw))

    def check(self) -> None:
        """Check that all content was written.

        Raises:
            UnwritableFile: the operating system has refused some of it.
        """
        if self.raw.failure is not None:
            raise unwritable(self.path, self.raw.failure) from self.raw.failure

    def finish(self) -> None:
        """Sync the file to the disk, give it the permissions of the file that it replaces, and
        close it.

        Raises:
            UnwritableFile: the operating system refuses it.
        """
        with as_unwritable(self.path):
            self.file.flush()
            self.check()
            self._keep_permissions()
            os.fsync(self.raw.fileno())
            self.file.close()

    def _keep_permissions(self) -> None:
        """Give it the owner, as far as possible, and the permissions of the one it replaces."""
        if os.name == 'posix' and self.place.exists() and not self.place.is_symlink():
            there = self.place.stat()
            # Not every user may change owners, and not every file system has permissions.
            with contextlib.suppress(OSError):
                os.fchown(self.raw.fileno(), there.st_uid, there.st_gid)
            with contextlib.suppress(OSError):
                os.fchmod(self.raw.fileno(), there.st_mode & 0o777)

    def discard(self) -> None:
        """Close the file without a flush, which would fail again on a full disk, and delete it if
        it still has its hidden name."""
        self.raw.close()
        self.hidden.unlink(missing_ok=True)


def take_places(files: Sequence[HiddenFile], overwrite: bool) -> None:
    """Rename finished files to their final names, all or none.

    Raises:
        UnwritableFile: a file cannot be renamed, and the files that others have replaced are
            restored; or the name of a single one, which stays, may be lost at a power failure.
    """
    backups: dict[Path, Path] = {}
    replacing = {file.place for file in files if os.path.lexists(file.place)}
    moved: list[HiddenFile] = []
    try:
        for file in files if len(files) > 1 else ():
            if file.place in replacing:
                backups[file.place] = hidden_name(file.place, BACKUP)
                with as_unwritable(file.path):
                    _link_or_copy(file.place, backups[file.place])
        for file in files:
            with as_unwritable(file.path):
                os.replace(file.hidden, file.place) if overwrite else _rename_to_new(file)
                moved.append(file)
                _sync_folder(file.place.parent)
    except BaseException:
        for file in moved:
            # Without a backup, only the new file is left.
            if file.place in backups or file.place not in replacing:
                _put_back(file, backups.pop(file.place, None))
        raise
    finally:
        for backup in backups.values():
            backup.unlink(missing_ok=True)


def _put_back(file: HiddenFile, backup: Path | None) -> None:
    """Restore the file that was replaced."""
    try:
        if backup is None:
            file.place.unlink(missing_ok=True)
        else:
            os.replace(backup, file.place)
    except OSError as error:
        kept = 'delete it' if backup is None else f'what was there is {backup}: rename it'
        raise UnwritableFile(
            f'{file.path} was written and could not be taken back ({reason(error)}); {kept}'
        ) from error


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copy2(source, target)


def _rename_to_new(file: HiddenFile) -> None:
    """Rename a file. Unlike os.replace, never replace a file that was created meanwhile."""
    try:
        os.link(file.hidden, file.place)
    except OSError as error:
        if error.errno == errno.EEXIST or os.path.lexists(file.place):
            raise already_there(file.path) from error
        if error.errno not in _NO_LINKS:
            raise
        os.replace(file.hidden, file.place)


def _sync_folder(folder: Path) -> None:
    """Sync a folder, so that its names survive a power failure, if the system can."""
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
