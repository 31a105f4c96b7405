"""The configs that come with rexdense, found by name in any installation.

A wheel has them in ``rexdense/.mim/configs``, where mmengine looks for the configs of a package, as
for mmdet and mmseg. In a checkout this is a link to ``configs`` beside the package.
"""

from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from rexdense.errors import InvalidArgument, UnknownName, suggest

SCOPE = 'rexdense::'
"""Prefix of mmengine's names for configs of the package."""


def configs_folder() -> Path:
    """Return the folder of the shipped configs, with links resolved. Raise InvalidArgument if the
    installation has none."""
    package = Path(__file__).resolve().parent
    # A checkout without symbolic links, as by git on Windows, has only the second.
    for folder in (package / '.mim/configs', package.parent / 'configs'):
        if (folder / '_base_').is_dir():
            return folder.resolve()
    raise InvalidArgument(
        f'no configs beside {package}: install rexdense anew, or give the path of a config file'
    )


def config_names(pattern: str = '*') -> dict[str, Path]:
    """Return the config files by name: the file name without ``.py``, preceded by the folder if
    several files share the name. Raise UnknownName if no config matches.

    Args:
        pattern: Shell pattern of the name, or of the path below the folder of the configs.
    """
    places = _places()
    names = Counter(place.name for place in places)
    found = {
        str(place) if names[place.name] > 1 else place.name: file
        for place, file in places.items()
        if any(fnmatchcase(text, pattern) for text in (place.name, str(place)))
    }
    if not found:
        name = PurePosixPath(pattern).name
        hint = suggest(name, names)
        raise UnknownName(f'no config fits {pattern!r}: {hint} (rexdense configs lists all)')
    return found


def find_config(given: str | Path, others: Iterable[str] = ()) -> Path:
    """Return the config file for a path or a name. An existing path takes precedence.

    Args:
        given: A path, or the name or end of the path of a shipped config: ``NAME``,
            ``folder/NAME``, ``configs/folder/NAME.py``, ``rexdense::folder/NAME``.
        others: Names of other things that may have been meant.

    Raises:
        UnknownName: there is no such config (the message has close names), or several have the
            name.
    """
    path = Path(given)
    if path.is_file():
        return path
    asked = PurePosixPath(path.as_posix().removeprefix(SCOPE))
    if asked.parts[:1] == ('configs',):
        asked = asked.relative_to('configs')
    asked = _without_ending(asked)
    places = _places()
    # An absolute path, or one with '..', is never a name.
    found = [] if path.is_absolute() else [place for place in places if _ends_with(place, asked)]
    if len(found) > 1:
        names = ' or '.join(map(str, found))
        raise UnknownName(f'several configs are called {asked}: give {names}')
    if found:
        return places[found[0]]
    if path.is_dir():
        hint = 'it is a folder; give a file, or a name of rexdense configs'
    else:
        around = next((parent for parent in path.parents if parent.name == 'configs'), None)
        own = (file.stem for file in around.rglob('*.py')) if around else ()
        hint = (
            f'{suggest(asked.name, {*own, *others, *config_names()})} (rexdense configs lists all)'
        )
    raise UnknownName(f'no config file {path}: {hint}')


def _places() -> dict[PurePosixPath, Path]:
    """Return the config files by their path below the folder of the configs, without ``.py``."""
    folder = configs_folder()
    files = sorted(folder.rglob('*.py'))
    places = {
        _without_ending(PurePosixPath(*file.relative_to(folder).parts)): file for file in files
    }
    return {place: file for place, file in places.items() if '_base_' not in place.parts}


def _without_ending(path: PurePosixPath) -> PurePosixPath:
    # with_suffix would cut 'rexnet-1.0' after the dot.
    return path.with_name(path.name.removesuffix('.py')) if path.name else path


def _ends_with(place: PurePosixPath, asked: PurePosixPath) -> bool:
    return bool(asked.parts) and place.parts[-len(asked.parts) :] == asked.parts
