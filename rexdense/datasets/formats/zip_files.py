"""Safe unpacking of exporters' zip files: nothing outside the target, and no full disk."""

import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from rexdense.datasets.file_names import not_a_file
from rexdense.datasets.images.folders import is_data
from rexdense.errors import DataError, RexdenseError
from rexdense.files.destinations import as_unwritable
from rexdense.files.writing import folder_written_aside

MOST_RATIO = 200
"""Largest ratio of unpacked to packed bytes; images hardly shrink, annotations by 20."""
MOST_MEMBER = 2 * 2**30
"""Largest single file in bytes."""
MOST_FILES = 2_000_000
_FREE_TO_GROW = 64 * 2**20
"""Unpacked bytes below which the ratio is not checked."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
# Exceptions for invalid offsets, sizes, dates and names.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, OverflowError),
    *(ValueError, struct.error),
)


def unpack(archive: Path, target: Path) -> Path:
    """Unpack a zip file into a new folder, completely or not at all, and return the folder.

    Hidden files and those of operating systems (``__MACOSX``) are skipped.

    Raises:
        DataError: the file is no zip file; is damaged, encrypted or empty; has a path outside the
            target, a link, or two files with the same name; or grows more than images and
            annotations do.
        UnwritableFile: the target cannot be written, or exists already.
    """
    if other := not_a_file(archive):
        raise DataError(f'{archive} {other}; give a zip file')
    try:
        with zipfile.ZipFile(archive) as opened:
            members = _checked_members(archive, opened)
            _check_room(archive, target, sum(info.file_size for _, info in members))
            with folder_written_aside(target) as write:
                for name, info in members:
                    # Reads no more than the size that was checked.
                    with opened.open(info) as file:
                        write(name, file.read(info.file_size))
    except RexdenseError:
        raise
    except FileNotFoundError:
        raise DataError(f'{archive} is not there; give a zip file') from None
    except PermissionError as error:
        raise DataError(f'{archive} cannot be read ({error.strerror})') from None
    except _DAMAGE as error:
        raise DataError(
            f'{archive} is no zip file or is damaged ({str(error)[:80]}); download it again'
        ) from None
    return target


def _checked_members(archive: Path, opened: zipfile.ZipFile) -> list[tuple[str, zipfile.ZipInfo]]:
    """Return the files to unpack with their safe names."""
    infos = [info for info in opened.infolist() if not info.is_dir()]
    if len(infos) > MOST_FILES:
        raise DataError(f'{archive} holds {len(infos)} files, more than {MOST_FILES}')
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        parts = _parts(archive, info)
        if not all(map(is_data, parts)):
            continue
        name = '/'.join(parts)
        if name.lower() in members:
            raise DataError(f'{archive} holds two files called {name!r}; pack it again')
        _check_member(archive, info)
        members[name.lower()] = info
    if not members:
        raise DataError(f'{archive} holds no files')
    unpacked = sum(info.file_size for info in members.values())
    packed = archive.stat().st_size
    if unpacked > _FREE_TO_GROW and unpacked > MOST_RATIO * packed:
        raise DataError(
            f'{archive} has {packed} bytes and would unpack to {unpacked}, more than {MOST_RATIO} '
            'times as many, which no data set does: it is not unpacked'
        )
    return [('/'.join(_parts(archive, info)), info) for info in members.values()]


def _parts(archive: Path, info: zipfile.ZipInfo) -> tuple[str, ...]:
    """Return the folders and name of a member. Raise DataError if its path leads outside the folder
    that it is unpacked into."""
    # Some tools on Windows write backslashes.
    path = PurePosixPath(info.filename.replace('\\', '/'))
    drive = path.parts and ':' in path.parts[0]
    if path.is_absolute() or drive or '..' in path.parts or '\0' in info.orig_filename:
        raise DataError(
            f'{archive} holds {info.orig_filename[:80]!r}, which leads out of the folder that it '
            'is unpacked into: nothing is unpacked'
        )
    return path.parts


def _check_member(archive: Path, info: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise DataError(f'{archive} holds {info.filename!r}, a link or no file: it is not unpacked')
    if info.flag_bits & _ENCRYPTED:
        raise DataError(f'{archive} is encrypted; pack it without a password')
    if info.compress_type not in _METHODS:
        raise DataError(
            f'{archive} packs {info.filename!r} by method {info.compress_type}; pack it with '
            'deflate, as zip does'
        )
    if info.file_size > MOST_MEMBER:
        raise DataError(
            f'{archive}: {info.filename!r} would have {info.file_size} bytes, more than '
            f'{MOST_MEMBER}: it is not unpacked'
        )


def _check_room(archive: Path, target: Path, needed: int) -> None:
    place = next(
        folder for folder in (target.absolute(), *target.absolute().parents) if folder.exists()
    )
    with as_unwritable(target):
        free = shutil.disk_usage(place).free
    if needed > free:
        raise DataError(
            f'{archive} would unpack to {needed} bytes, and {target} has room for {free}'
        )
