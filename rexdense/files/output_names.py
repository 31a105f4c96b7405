"""Names of output files, derived safely from those of input files.

Image names come from annotation files, archives and addresses of other people. An output never
leaves the output folder and never takes the path of another input's output.
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
from rexdense.files.hidden_files import LONGEST_NAME

Rename = Callable[[str], str]
"""A function from the name of an input file to the name of its output file."""

# Control characters, the other system's separator, and characters that Windows forbids.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f\\/]' if os.name == 'posix' else r'[\x00-\x1f\x7f\\/<>:"|?*]')
_DRIVE = re.compile(r'^([A-Za-z]):')
_DIGITS = (8, 16, 64)


def output_path(folder: str | Path, name: str | Path) -> Path:
    """Return the path of a safe relative name below an output folder. Raise InvalidArgument if it
    is outside, because of its name or a link."""
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
    """Return the output path of each input below ``folder``, see :func:`output_names`. Raise
    InvalidArgument if a link leads out of ``folder``."""
    names = output_names(inputs, base, renames, reserved)
    return {path: output_path(folder, name) for path, name in names.items()}


def output_names(
    inputs: Sequence[str | Path],
    base: str | Path | None = None,
    renames: Sequence[Rename] = (str,),
    reserved: Iterable[str] = (),
) -> dict[str, str]:
    """Return a relative name for each input file's output, with ``/`` as separator.

    It is the path of the input relative to ``base``, or, if an input is outside ``base``, relative
    to the common folder of all inputs. Different inputs get different names, also on systems that
    treat ``A`` and ``a``, or composed and decomposed accents, as equal. No name is that of a
    folder.

    Args:
        inputs: Paths of all input files; the names depend on one another.
        base: A folder; None takes the common folder of the inputs.
        renames: Functions from a file name to the name of its output. Each is tried if the one
            before gives two inputs the same name. If all do, a digest of the path is inserted.
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
    """Return a file name without parts that lead to another folder or that file systems forbid.

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
    """Return the common form of names that some system treats as equal."""
    return unicodedata.normalize('NFC', unicodedata.normalize('NFC', name).casefold())


def _absolute(path: str | Path) -> Path:
    """Return the absolute path without ``..``, which after a link leads to another folder than it
    seems."""
    path = Path(path)
    if '..' in path.parts and '\0' not in str(path):
        path = Path(os.path.realpath(path.parent), path.name)
    whole = os.path.abspath(path)
    # POSIX keeps two slashes at the beginning, and a common folder never has two.
    return Path(whole[1:] if os.name == 'posix' and whole.startswith('//') else whole)


def _below(paths: Sequence[Path], base: Path | None) -> dict[Path, tuple[str, ...]]:
    """Return the parts of each path relative to the base, or to the common folder."""
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
    """Return a name within the length limit of file systems; a digest replaces the cut part."""
    if len(os.fsencode(name)) <= LONGEST_NAME:
        return name
    suffix = PurePosixPath(name).suffix
    end = f'~{_digest(path)[:16]}{suffix if len(os.fsencode(suffix)) < 20 else ""}'
    return os.fsencode(name)[: LONGEST_NAME - len(end)].decode(errors='ignore') + end


def _colliding(names: dict[Path, str], taken: set[str]) -> set[Path]:
    """Return the inputs whose names equal another's, a reserved name, or the name of a folder."""
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
