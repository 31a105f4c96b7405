"""Image files in folders, apart from what systems and programs lay beside them."""

import errno
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

from rexdense.errors import DataError

IMAGE_ENDINGS = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
"""Endings of images that are read."""

OTHER_ENDINGS = (
    *('.avif', '.cr2', '.dng', '.exr', '.gif', '.heic', '.heif', '.ico', '.jfif', '.jp2', '.jpe'),
    *('.jxl', '.nef', '.pbm', '.pgm', '.pnm', '.ppm', '.psd', '.svg', '.tga'),
)
"""Endings of images that are not read."""

_FOREIGN = frozenset({'@eadir', '__macosx', '#recycle', '$recycle.bin', 'lost+found'})
"""Folders of thumbnails, resource forks and deleted files: Synology, macOS, Windows, ext4."""


def is_data(name: str) -> bool:
    """Whether a file or folder of a name can be data: it is not hidden, as ``.ipynb_checkpoints``
    and macOS's ``._`` files are, and none that a system keeps.

    Example:
        >>> [is_data(name) for name in ('cat', '.ipynb_checkpoints', '@eaDir', '._0.jpg')]
        [True, False, False, False]
    """
    return not name.startswith('.') and name.lower() not in _FOREIGN


def entries_of(folder: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    """Return what lies in a folder; raise DataError where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise _unreadable(error) from error


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether what lies in a folder is a folder, too; a link that leads to itself is none.
    Raise DataError for a link to what cannot be read."""
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise _unreadable(error) from error


def tell_unreadable(error: OSError) -> None:
    """Raise DataError for a folder that is there and cannot be read: what ``os.walk`` takes as
    ``onerror``, and without which it leaves the folder out unsaid."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> DataError:
    return DataError(
        f'{error.filename} cannot be read ({error.strerror}): check its permissions and its disk'
    )


def images_below(folder: Path, endings: tuple[str, ...] = IMAGE_ENDINGS) -> list[Path]:
    """Return the images in a folder and in those in it, sorted; a folder is none, whatever its name
    ends with. Raise DataError where one of the folders cannot be read."""
    found = []
    for place, folders, files in os.walk(folder, onerror=tell_unreadable):
        folders[:] = filter(is_data, folders)
        paths = (Path(place, name) for name in files if is_data(name))
        found += [path for path in paths if path.suffix.lower() in endings]
    return sorted(found)


def unread_images(names: Iterable[str | os.PathLike[str]]) -> Counter[str]:
    """Count the files that are images of kinds that are not read, by their endings."""
    endings = (PurePath(name).suffix.lower() for name in names)
    return Counter(ending for ending in endings if ending in OTHER_ENDINGS)


def unread_sentence(counts: Mapping[str, int]) -> str:
    """Return the sentence about images that are left out for their kind, with what to do.

    Example:
        >>> unread_sentence({'.gif': 1, '.jfif': 4})
        '5 images are not read (4 .jfif, 1 .gif): save them as .jpg or .png'
    """
    number = sum(counts.values())
    named = ', '.join(f'{count} {ending}' for ending, count in Counter(counts).most_common())
    return (
        f'{number} {"image is" if number == 1 else "images are"} not read ({named}): save '
        f'{"it" if number == 1 else "them"} as .jpg or .png'
    )
