"""The folders of the splits of a data set, as exporters name them."""

from collections.abc import Iterable
from pathlib import Path

from rexdense.datasets.images.folders import is_data
from rexdense.errors import DataError

SPLIT_NAMES = {
    'train': ('train', 'training', 'train2017', 'train2014'),
    'val': ('val', 'valid', 'validation', 'val2017', 'val2014'),
    'test': ('test', 'testing'),
}
"""Names of the splits at exporters; the first is that of CVAT and Roboflow, or of Ultralytics."""
UNDIVIDED = 'all'
"""The only split of an undivided folder."""


def split_of(name: str) -> str | None:
    """Return the split of a folder by its name; None for other names.

    Example:
        >>> split_of('Valid'), split_of('images')
        ('val', None)
    """
    lower = name.lower()
    return next((split for split, names in SPLIT_NAMES.items() if lower in names), None)


def by_split(folders: Iterable[tuple[str | None, Path]]) -> dict[str, Path]:
    """Return the folder of each split, train first, without folders of None. Raise DataError if a
    split has two folders."""
    found: dict[str, Path] = {}
    for split, folder in folders:
        if split is None:
            continue
        if split in found:
            raise DataError(
                f'{found[split]} and {folder} both hold {split}: take one away or join them'
            )
        found[split] = folder
    return {split: found[split] for split in (*SPLIT_NAMES, UNDIVIDED) if split in found}


def subfolders(folder: Path) -> list[Path]:
    """Return the subfolders that can be data, sorted."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and is_data(path.name))


def subfolder(folder: Path, name: str) -> Path:
    """Return the subfolder with a name in lower case, however it is spelt; the path of the name
    itself if there is none."""
    exact = folder / name
    if exact.is_dir():
        return exact
    return next((other for other in subfolders(folder) if other.name.lower() == name), exact)
