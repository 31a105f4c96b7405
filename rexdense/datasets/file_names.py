"""Files found by the names that annotations give them, however these are spelt."""

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

__all__ = ['find_files', 'name_key']


def name_key(name: str) -> str:
    """Return what the spellings of one path have in common.

    Accents may be composed or not, letters small or capital, folders parted by slashes or
    backslashes; a leading ``./``, URL escapes and outer spaces do not matter.

    Example:
        >>> name_key('.\\\\Scans\\\\a%20B.JPG')
        'scans/a b.jpg'
    """
    return unicodedata.normalize('NFC', _plain(unquote(name))).casefold().lstrip('/')


def find_files(folder: str | os.PathLike[str], names: Sequence[str]) -> list[str | None]:
    """Return the path below ``folder`` of each file; None for those that are not there.

    A name stands for the file that is spelt just so. Where there is none, it stands for the only
    file whose spelling has the same :func:`name_key`, and that no other name is the very spelling
    of.

    Args:
        names: Paths in the folder, or absolute ones.
    """
    listings: dict[str, set[str]] = {}

    def is_there(name: str) -> bool:
        parent, last = os.path.split(os.path.join(folder, name))
        if parent not in listings:
            listings[parent] = _files(parent)
        return last in listings[parent]

    found = [
        next((spelling for spelling in (name, _plain(name)) if is_there(spelling)), None)
        for name in names
    ]
    if None in found:
        others = _by_key(folder, {os.path.normpath(name) for name in found if name is not None})
        for place, name in enumerate(names):
            matches = others.get(name_key(name), ())
            if found[place] is None and len(matches) == 1:
                found[place] = matches[0]
    return found


def _plain(name: str) -> str:
    """Return a path with slashes alone, without what does not change it and without outer
    spaces."""
    return str(PurePosixPath(name.strip().replace('\\', '/')))


def _files(folder: str) -> set[str]:
    return set(os.listdir(folder)) if os.path.isdir(folder) else set()


def _by_key(folder: str | os.PathLike[str], taken: set[str]) -> dict[str, list[str]]:
    """Return the files below a folder by their keys, but for those that are taken."""
    keys: dict[str, list[str]] = {}
    for parent, _, files in os.walk(folder):
        below = Path(parent).relative_to(folder)
        for file in files:
            path = str(below / file)
            if path not in taken:
                keys.setdefault(name_key(path), []).append(path)
    return keys
