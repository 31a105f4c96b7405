"""Image files in folders, without the files that systems and programs leave there."""

import errno
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

from rexdense.errors import DataError

IMAGE_ENDINGS = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
"""Endings of supported images."""

OTHER_ENDINGS = (
    *('.avif', '.cr2', '.dng', '.exr', '.gif', '.heic', '.heif', '.ico', '.jfif', '.jp2', '.jpe'),
    *('.jxl', '.nef', '.pbm', '.pgm', '.pnm', '.ppm', '.psd', '.svg', '.tga'),
)
"""Endings of unsupported images."""

_FOREIGN = frozenset({'@eadir', '__macosx', '#recycle', '$recycle.bin', 'lost+found'})
"""Folders of thumbnails, resource forks and deleted files: Synology, macOS, Windows, ext4."""


def is_data(name: str) -> bool:
    """Whether a file or folder name can be data. It is not hidden, like ``.ipynb_checkpoints`` and
    macOS's ``._`` files, and not a system folder.

    Example:
        >>> [is_data(name) for name in ('cat', '.ipynb_checkpoints', '@eaDir', '._0.jpg')]
        [True, False, False, False]
    """
    return not name.startswith('.') and name.lower() not in _FOREIGN


def entries_of(folder: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    """Return the entries of a folder; raise DataError if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise _unreadable(error) from error


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry of a folder is a folder; a link to itself is not. Raise DataError for
    a link whose target cannot be read."""
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise _unreadable(error) from error


def tell_unreadable(error: OSError) -> None:
    """Raise DataError for a folder that exists and cannot be read. As the argument ``onerror`` of
    ``os.walk``, it prevents such folders from being skipped silently."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> DataError:
    return DataError(
        f'{error.filename} cannot be read ({error.strerror}): check its permissions and its disk'
    )


def images_below(folder: Path, endings: tuple[str, ...] = IMAGE_ENDINGS) -> list[Path]:
    """Return the sorted images in a folder and its subfolders. A folder is not an image, whatever
    its name ends with. Raise DataError if one of the folders cannot be read."""
    found = []
    for place, folders, files in os.walk(folder, onerror=tell_unreadable):
        folders[:] = filter(is_data, folders)
        paths = (Path(place, name) for name in files if is_data(name))
        found += [path for path in paths if path.suffix.lower() in endings]
    return sorted(found)


def unread_images(names: Iterable[str | os.PathLike[str]]) -> Counter[str]:
    """Count the images of unsupported kinds, by their endings."""
    endings = (PurePath(name).suffix.lower() for name in names)
    return Counter(ending for ending in endings if ending in OTHER_ENDINGS)


def unread_sentence(counts: Mapping[str, int]) -> str:
    """Return a sentence about images of unsupported kinds, with the remedy.

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
