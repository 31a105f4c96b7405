"""The configs that come with rexdense, found by name wherever it is installed.

A wheel holds them in ``rexdense/.mim/configs``, where mmengine looks for those of a package (mmdet
and mmseg keep theirs so); in a checkout this is a link to ``configs`` beside the package.
"""

from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from rexdense.errors import InvalidArgument, UnknownName, suggest

SCOPE = 'rexdense::'
"""Prefix by which mmengine names a config of the package."""


def configs_folder() -> Path:
    """Return the folder of the shipped configs, with links resolved; raise InvalidArgument where
    the installation has none."""
    package = Path(__file__).resolve().parent
    # Where links are not made, as by git on Windows, a checkout has the second alone.
    for folder in (package / '.mim/configs', package.parent / 'configs'):
        if (folder / '_base_').is_dir():
            return folder.resolve()
    raise InvalidArgument(
        f'no configs beside {package}: install rexdense anew, or give the path of a config file'
    )


def config_names(pattern: str = '*') -> dict[str, Path]:
    """Return files by name: that without ``.py``, with its folder where several are called so;
    raise UnknownName where no config fits.

    Args:
        pattern: Of the shell, for the name or the path below the folder of the configs.
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
    """Return the config file that a path or a name means; a path wins where a file lies there.

    Args:
        given: A path, or for a shipped config its name or the end of its path: ``NAME``,
            ``folder/NAME``, ``configs/folder/NAME.py``, ``rexdense::folder/NAME``.
        others: Names of what else may have been meant.

    Raises:
        UnknownName: there is none, with close names; or several configs are called so.
    """
    path = Path(given)
    if path.is_file():
        return path
    asked = PurePosixPath(path.as_posix().removeprefix(SCOPE))
    if asked.parts[:1] == ('configs',):
        asked = asked.relative_to('configs')
    asked = _without_ending(asked)
    places = _places()
    # A path from the root, or with '..', leads to a place of its own.
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
    """Return the files by their path below the folder of the configs, without ``.py``."""
    folder = configs_folder()
    files = sorted(folder.rglob('*.py'))
    places = {
        _without_ending(PurePosixPath(*file.relative_to(folder).parts)): file for file in files
    }
    return {place: file for place, file in places.items() if '_base_' not in place.parts}


def _without_ending(path: PurePosixPath) -> PurePosixPath:
    # with_suffix would cut 'rexnet-1.0' after its dot.
    return path.with_name(path.name.removesuffix('.py')) if path.name else path


def _ends_with(place: PurePosixPath, asked: PurePosixPath) -> bool:
    return bool(asked.parts) and place.parts[-len(asked.parts) :] == asked.parts
