"""Folders of a data set by their splits, as exporters name them."""

from collections.abc import Iterable
from pathlib import Path

from rexdense.datasets.images.folders import is_data
from rexdense.errors import DataError

SPLIT_NAMES = {
    'train': ('train', 'training', 'train2017', 'train2014'),
    'val': ('val', 'valid', 'validation', 'val2017', 'val2014'),
    'test': ('test', 'testing'),
}
"""Names of the splits at exporters; the first is CVAT's and Roboflow's or Ultralytics' own."""
UNDIVIDED = 'all'
"""The one split of a folder that is not divided."""


def split_of(name: str) -> str | None:
    """Return the split that a folder of a name holds; None for other names.

    Example:
        >>> split_of('Valid'), split_of('images')
        ('val', None)
    """
    lower = name.lower()
    return next((split for split, names in SPLIT_NAMES.items() if lower in names), None)


def by_split(folders: Iterable[tuple[str | None, Path]]) -> dict[str, Path]:
    """Return the folder of each split, train first, without folders of None; raise DataError where
    a split has two."""
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
    """Return the folders in a folder that can hold data, sorted."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and is_data(path.name))
