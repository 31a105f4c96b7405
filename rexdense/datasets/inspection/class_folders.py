"""Inspection of a folder of images by class."""

import contextlib
from pathlib import Path

import numpy as np

from rexdense.datasets.classification.file_index import scan_classes
from rexdense.datasets.formats.conversion import size_of_image
from rexdense.datasets.formats.split_folders import SPLIT_NAMES, split_of, subfolders
from rexdense.datasets.inspection.findings import ImageEntry, Inspected, Suspicion, alike_names
from rexdense.datasets.inspection.pixels import pixel_suspicions
from rexdense.errors import DataError
from rexdense.text_table import text_table

FEW = 10
"""Training images of a class below which it is reported."""


def is_class_folders(root: Path) -> bool:
    """Whether a folder has splits with class folders."""
    return any(split_of(folder.name) and subfolders(folder) for folder in subfolders(root))


def inspect_class_folders(root: Path) -> Inspected:
    """Inspect a folder of classes; raise DataError if a split has no images."""
    images: dict[str, list[ImageEntry]] = {}
    counts: dict[str, dict[str, int]] = {}
    suspicions: list[Suspicion] = []
    for folder in subfolders(root):
        split = split_of(folder.name)
        if split is None or not subfolders(folder):
            continue
        if split in images:
            raise DataError(f'{root} has two folders for {split}; take one away')
        names, files = scan_classes(folder)
        images[split] = [
            ImageEntry(f'{folder.name}/{files.path(place)}', folder / files.path(place))
            for place in range(len(files))
        ]
        of_class = np.bincount(files.labels, minlength=len(names)).tolist()
        counts[split] = dict(zip(names, of_class, strict=True))
        suspicions += alike_names(split, names)
        for name, count in counts[split].items():
            if split == 'train' and count < FEW:
                suspicions.append(
                    Suspicion('class of few images', split, '', f'{name!r} has {count}')
                )
    known = counts.get('train', {})
    suspicions += [
        Suspicion('class that train does not have', split, '', repr(name))
        for split, of_split in counts.items()
        for name in of_split
        if known and name not in known
    ]
    order = [split for split in SPLIT_NAMES if split in images]
    images, counts = ({split: each[split] for split in order} for each in (images, counts))
    suspicions += pixel_suspicions(images)
    classes = list(dict.fromkeys(name for of_split in counts.values() for name in of_split))
    rows = [['', *images], ['images', *(str(len(entries)) for entries in images.values())]]
    rows += [
        [f'  {name}', *(str(of_split.get(name, 0)) for of_split in counts.values())]
        for name in classes
    ]
    figures = {split: dict(image_sizes=_sizes(entries)) for split, entries in images.items()}
    rows += [
        [f'width x height, {what}', *(figures[split]['image_sizes'][what] for split in images)]
        for what in ('smallest', 'largest')
    ]
    return Inspected('classes', images, counts, text_table(rows), figures, suspicions)


def _sizes(entries: list[ImageEntry]) -> dict[str, str]:
    """Return the sizes of the images with the fewest and the most pixels."""
    sizes = []
    for entry in entries:
        # Damaged images are reported elsewhere.
        with contextlib.suppress(DataError):
            sizes.append(size_of_image(entry.path))
    by_area = sorted(sizes, key=lambda size: size[0] * size[1]) or [(0, 0)]
    return {
        what: f'{width} x {height}'
        for what, (height, width) in (('smallest', by_area[0]), ('largest', by_area[-1]))
    }
