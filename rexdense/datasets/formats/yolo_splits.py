"""The splits of a YOLO data set as its YAML file or its lists of images state them.

Ultralytics' YAML file names folders of images or lists of images, or several of these, under
``train``, ``val`` and ``test`` ("Object Detection Datasets"). Darknet and CVAT have the lists
``train.txt`` and ``valid.txt``, with paths on the machine that wrote them.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from rexdense.datasets.formats.split_folders import SPLIT_NAMES
from rexdense.datasets.text_files import read_limited

LISTS = frozenset(f'{name}.txt' for names in SPLIT_NAMES.values() for name in names)
_MOST_BYTES = 256 * 2**20


def stated_splits(
    root: Path, content: Mapping[str, Any], images: Path, names: Collection[str]
) -> dict[str, set[str]]:
    """Return the names of the images in each split; nothing unless train and val are stated and
    have no image in common.

    Args:
        root: The folder of the data set.
        content: The content of its YAML file; empty if there is none.
        images: The folder of the images.
        names: All images, by their paths in that folder.
    """
    found: dict[str, set[str]] = {}
    for split, spellings in SPLIT_NAMES.items():
        stated = content.get(split) or [f'{name}.txt' for name in spellings]
        entries = stated if isinstance(stated, list) else [stated]
        chosen = {
            name
            for entry in entries
            for name in _names_of(_place(root, content.get('path'), entry), images, names)
        }
        if chosen:
            found[split] = chosen
    divided = sum(map(len, found.values())) == len(set().union(*found.values()))
    return found if divided and {'train', 'val'} <= found.keys() else {}


def _place(root: Path, base: Any, entry: Any) -> Path | None:
    """Return the folder or list in the data set for which an entry stands, whose path may begin
    outside it; None if there is none."""
    path = PurePosixPath(f'{base or ""}/{entry}'.replace('\\', '/'))
    parts = [part for part in path.parts if part not in ('/', '..')]
    places = (root.joinpath(*parts[start:]) for start in range(len(parts)))
    return next((place for place in places if os.path.exists(place)), None)


def _names_of(place: Path | None, images: Path, names: Collection[str]) -> Iterator[str]:
    """Yield the images of a folder or a list."""
    if place is None:
        return
    if place.is_dir():
        relative = Path(os.path.relpath(place.resolve(), images.resolve()))
        start = '' if set(relative.parts) <= {'..'} else f'{relative.as_posix()}/'
        yield from (name for name in names if name.startswith(start))
        return
    for line in read_limited(place, _MOST_BYTES).decode('utf-8-sig', 'replace').splitlines():
        parts = PurePosixPath(line.strip().replace('\\', '/')).parts
        ends = ('/'.join(parts[start:]) for start in range(len(parts)))
        yield from [end for end in ends if end in names][:1]
