"""Names of output files that follow those of input files, and stay where they belong.

Names of images come from annotation files, archives and addresses of others. They choose neither a
place outside the output folder nor one that another input's output has.
"""

import functools
import hashlib
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

from rexdense.errors import InvalidArgument
from rexdense.hidden_files import LONGEST_NAME

Rename = Callable[[str], str]
"""Names of output files after those of input files."""

# Control characters, the other system's separator, and what Windows takes in no name.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f\\/]' if os.name == 'posix' else r'[\x00-\x1f\x7f\\/<>:"|?*]')
_DRIVE = re.compile(r'^([A-Za-z]):')
_DIGITS = (8, 16, 64)


def output_path(folder: str | Path, name: str | Path) -> Path:
    """Return the place below an output folder that a safe relative name has; raise InvalidArgument
    where it lies outside, by its name or by a link."""
    path = Path(folder, name)
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        raise InvalidArgument(
            f'{path} leads out of {folder}, to {os.path.realpath(path)}: take the link away, or '
            'choose another folder'
        )
    return path


def output_paths(
    folder: str | Path,
    inputs: Sequence[str | Path],
    base: str | Path | None = None,
    renames: Sequence[Rename] = (str,),
    reserved: Iterable[str] = (),
) -> dict[str, Path]:
    """Return the place below ``folder`` of each input's output, see :func:`output_names`; raise
    InvalidArgument where a link in ``folder`` leads out of it."""
    names = output_names(inputs, base, renames, reserved)
    return {path: output_path(folder, name) for path, name in names.items()}


def output_names(
    inputs: Sequence[str | Path],
    base: str | Path | None = None,
    renames: Sequence[Rename] = (str,),
    reserved: Iterable[str] = (),
) -> dict[str, str]:
    """Return a relative name for each input file's output, ``/`` between its parts.

    It is the input's place below ``base``, or, where one of them lies elsewhere, below the folder
    that all have in common. Different inputs get different names, on systems too that tell neither
    ``A`` from ``a`` nor a composed accent from a decomposed one, and no name is that of a folder.

    Args:
        inputs: Paths of files; all of them, since the names depend on one another.
        base: A folder; None stands for what they have in common.
        renames: What the output of a file name is called. The later ones are tried where the first
            gives two inputs one name; where all do, a digest of the path is put in.
        reserved: Names that other outputs have.

    Example:
        >>> renames = [lambda name: name.split('.')[0] + '.png', '{}.png'.format]
        >>> list(output_names(['/d/a.jpg', '/d/a.tif', '/d/b.jpg'], '/d', renames).values())
        ['a.jpg.png', 'a.tif.png', 'b.png']
        >>> list(output_names(['/p/x.jpg', '/q/x.jpg'], '/p').values())
        ['p/x.jpg', 'q/x.jpg']
    """
    whole = {str(path): _absolute(path) for path in inputs}
    parts = _below(sorted(set(whole.values())), None if base is None else _absolute(base))
    ways = [lambda name, _, rename=rename: rename(name) for rename in renames]
    ways += [functools.partial(_with_digest, renames[-1], digits) for digits in _DIGITS]
    chosen = {path: 0 for path in parts}
    taken = {name_key(name) for name in reserved}
    while True:
        names = {path: _joined(parts[path], path, ways[way]) for path, way in chosen.items()}
        colliding = _colliding(names, taken)
        if not colliding or all(chosen[path] == len(ways) - 1 for path in colliding):
            break
        for path in colliding:
            chosen[path] = min(chosen[path] + 1, len(ways) - 1)
    return {given: names[path] for given, path in whole.items()}


def safe_name(name: str) -> str:
    """Return a file name without what leads to another folder, or that no file can have.

    Example:
        >>> safe_name('..\\\\C:/a.pth'), safe_name('..'), safe_name('C:a.pth')
        ('.._C:_a.pth', '_', 'C_a.pth')
    """
    name = _DRIVE.sub(r'\1_', _UNSAFE.sub('_', name))
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        name = name.encode(errors='replace').decode()
    return '_' if name in ('', '.', '..') else name


def name_key(name: str) -> str:
    """Return the common form of names that some system takes for one."""
    return unicodedata.normalize('NFC', unicodedata.normalize('NFC', name).casefold())


def _absolute(path: str | Path) -> Path:
    """Return the path without ``..``, which behind a link leads elsewhere than it looks."""
    path = Path(path)
    if '..' in path.parts and '\0' not in str(path):
        path = Path(os.path.realpath(path.parent), path.name)
    whole = os.path.abspath(path)
    # POSIX keeps two slashes at the beginning, which no folder in common has.
    return Path(whole[1:] if os.name == 'posix' and whole.startswith('//') else whole)


def _below(paths: Sequence[Path], base: Path | None) -> dict[Path, tuple[str, ...]]:
    """Return the parts of each path below the base, or below what all have in common."""
    if base is None or not all(base in path.parents for path in paths):
        try:
            folders = [str(path.parent) for path in paths] + ([] if base is None else [str(base)])
            base = Path(os.path.commonpath(folders)) if folders else Path()
        except ValueError:  # on two drives
            return {path: path.parts for path in paths}
    return {path: path.relative_to(base).parts for path in paths}


def _joined(parts: Sequence[str], path: Path, way: Callable[[str, Path], str]) -> str:
    *folders, name = parts
    return '/'.join(_fitting(safe_name(part), path) for part in (*folders, way(name, path)))


def _with_digest(rename: Rename, digits: int, name: str, path: Path) -> str:
    new = PurePosixPath(safe_name(rename(name)))
    return f'{new.stem}~{_digest(path)[:digits]}{new.suffix}'


def _digest(path: Path) -> str:
    return hashlib.sha256(str(path).encode(errors='surrogatepass')).hexdigest()


def _fitting(name: str, path: Path) -> str:
    """Return a name that is no longer than file systems allow; a digest stands for what is cut."""
    if len(os.fsencode(name)) <= LONGEST_NAME:
        return name
    suffix = PurePosixPath(name).suffix
    end = f'~{_digest(path)[:16]}{suffix if len(os.fsencode(suffix)) < 20 else ""}'
    return os.fsencode(name)[: LONGEST_NAME - len(end)].decode(errors='ignore') + end


def _colliding(names: dict[Path, str], taken: set[str]) -> set[Path]:
    """Return the inputs whose names are another's, reserved, or those of folders."""
    users = defaultdict(list)
    folders = set()
    for path, name in names.items():
        users[name_key(name)].append(path)
        folders |= {str(parent) for parent in PurePosixPath(name_key(name)).parents}
    return {
        path
        for key, paths in users.items()
        if len(paths) > 1 or key in taken or key in folders
        for path in paths
    }
