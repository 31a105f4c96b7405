"""Lookup of files by the names in annotations, independent of spelling."""

import os
import re
import stat
import unicodedata
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

_DRIVE = re.compile('[A-Za-z]:/')
_OTHERS = {
    stat.S_IFDIR: 'a folder',
    stat.S_IFIFO: 'a named pipe',
    stat.S_IFCHR: 'a device',
    stat.S_IFBLK: 'a device',
    stat.S_IFSOCK: 'a socket',
}


def name_key(name: str) -> str:
    """Return the common form of all spellings of a path.

    Composed and decomposed accents, upper and lower case, and slashes and backslashes are equal. A
    leading ``./``, URL escapes and outer spaces do not matter.

    Example:
        >>> name_key('.\\\\Scans\\\\a%20B.JPG')
        'scans/a b.jpg'
    """
    return unicodedata.normalize('NFC', _plain(unquote(name))).casefold().lstrip('/')


def find_files(folder: str | os.PathLike[str], names: Sequence[str]) -> list[str | None]:
    """Return the path below ``folder`` of each file; None for missing files.

    A name is matched with the file of exactly this spelling. If there is none, it is matched with
    the only file that has the same :func:`name_key` and is not the exact match of another name.
    Finally, a name that points outside the folder, such as a path on the machine that wrote it, is
    matched with the only file below ``folder`` that has its last part.

    Args:
        names: Paths in the folder, or absolute ones.
    """
    listings: dict[str, set[str]] = {}

    def is_there(name: str) -> bool:
        parent, last = os.path.split(os.path.join(folder, name))
        if parent not in listings:
            listings[parent] = set(os.listdir(parent)) if os.path.isdir(parent) else set()
        return last in listings[parent]

    found = [
        next((spelling for spelling in (name, _plain(name)) if is_there(spelling)), None)
        for name in names
    ]
    if None in found:
        lacking = [name for name, file in zip(names, found, strict=True) if file is None]
        taken = {os.path.normpath(name) for name in found if name is not None}
        free = [file for file in _walk(folder) if file not in taken]
        others = iter(_by_last_part(lacking, match_names(lacking, free), free))
        found = [next(others) if file is None else file for file in found]
    return found


def _by_last_part(
    names: Sequence[str], found: Sequence[str | None], files: Sequence[str]
) -> list[str | None]:
    """Return the files that were found, and for names that point outside the folder the only file
    with the same last part."""
    by_key: dict[str, list[str]] = {}
    for file in files:
        by_key.setdefault(name_key(os.path.basename(file)), []).append(file)
    completed = []
    for name, file in zip(names, found, strict=True):
        plain = _plain(name)
        if file is None and (plain.startswith(('../', '/')) or _DRIVE.match(plain)):
            same = by_key.get(name_key(plain.rpartition('/')[2]), [])
            file = same[0] if len(same) == 1 else None
        completed.append(file)
    return completed


def not_a_file(path: str | os.PathLike[str]) -> str | None:
    """Return a description of a path that is not a regular file; None for a file, a link to a file,
    or a missing path.

    Annotations may name anything, and reading a pipe or a device may never end.

    Example:
        >>> not_a_file('/dev/null')
        'is a device, no regular file'
    """
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)
    except (OSError, ValueError):
        return None
    return None if kind == stat.S_IFREG else f'is {_OTHERS.get(kind, "special")}, no regular file'


def not_a_folder(path: Path) -> str | None:
    """Return a description of a path that is not a folder; None for a folder.

    Example:
        >>> not_a_folder(Path('/dev/null')), not_a_folder(Path('/dev'))
        ('is a file', None)
    """
    if path.is_dir():
        return None
    return 'is a file' if path.exists() else 'is not there'


def match_names(names: Sequence[str], others: Collection[str]) -> list[str | None]:
    """Match each name with one of ``others``, comparing as in :func:`find_files`. The result is
    None if no name or several names match."""
    there = set(others)
    taken = there.intersection(names)
    by_key: dict[str, list[str]] = {}
    for other in there - taken:
        by_key.setdefault(name_key(other), []).append(other)
    matches = [[name] if name in taken else by_key.get(name_key(name), []) for name in names]
    return [match[0] if len(match) == 1 else None for match in matches]


def _plain(name: str) -> str:
    """Return a path with slashes only, without redundant parts and outer spaces."""
    return str(PurePosixPath(name.strip().replace('\\', '/')))


def _walk(folder: str | os.PathLike[str]) -> list[str]:
    """Return the paths below a folder of all its files."""
    return [
        os.path.normpath(os.path.join(os.path.relpath(parent, folder), file))
        for parent, _, files in os.walk(folder)
        for file in files
    ]
