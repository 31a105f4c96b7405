"""Inspection of a folder of images and label maps."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rexdense.datasets.file_names import find_files
from rexdense.datasets.formats.split_folders import SPLIT_NAMES
from rexdense.datasets.images.files import read_upright
from rexdense.datasets.images.folders import images_below
from rexdense.datasets.inspection.findings import ImageEntry, Inspected, Suspicion
from rexdense.datasets.inspection.pixels import pixel_suspicions
from rexdense.datasets.segmentation.folder import LABEL_ENDING, SegmentationFolder
from rexdense.datasets.segmentation.label_counts import require_two_classes
from rexdense.datasets.segmentation.label_maps import (
    VOID,
    check_labels,
    check_size,
    read_label_map,
)
from rexdense.datasets.text_files import CLASS_FILE
from rexdense.errors import DataError
from rexdense.text_table import text_table

BAD_MAP = 'label map that cannot be used'
ALL_VOID = 'label map that is void all over'
ONE_CLASS = 'label map of one class all over'
UNTRAINABLE = 'split of one class'


def is_label_maps(root: Path) -> bool:
    """Whether a folder has the layout of images, label maps and class names."""
    labels = root / 'labels'
    return (root / CLASS_FILE).is_file() and any((labels / split).is_dir() for split in SPLIT_NAMES)


def label_map_of(root: Path, split: str, images: Sequence[str]) -> list[Path | None]:
    """Return the label map of each image of a split; None for an image without one."""
    folder = root / 'labels' / split
    names = [str(Path(name).with_suffix(LABEL_ENDING)) for name in images]
    return [None if file is None else folder / file for file in find_files(folder, names)]


def inspect_label_maps(root: Path) -> Inspected:
    """Inspect all label maps of a folder. Raise DataError if there are no class names, or a split
    has no image."""
    folder = SegmentationFolder(root)
    classes = folder.classes().names
    images: dict[str, list[ImageEntry]] = {}
    pixels: dict[str, np.ndarray] = {}
    in_images: dict[str, np.ndarray] = {}
    suspicions: list[Suspicion] = []
    for split in SPLIT_NAMES:
        place = root / 'images' / split
        if not place.is_dir():
            continue
        names = [path.relative_to(place).as_posix() for path in images_below(place)]
        if not names:
            raise DataError(f'no image in {place}; put some there, or take the folder away')
        images[split] = [ImageEntry(name, place / name) for name in names]
        counts = []
        for entry, file in zip(images[split], label_map_of(root, split, names), strict=True):
            found, suspicion = _counted(entry, file, split, len(classes))
            suspicions += suspicion
            if found is not None:
                counts.append(found)
        table = np.array(counts, np.int64).reshape(-1, len(classes) + 1)
        pixels[split], in_images[split] = table.sum(0), (table > 0).sum(0)
        if split == 'train' and table[:, :-1].any():
            try:
                require_two_classes(table, classes, split)
            except DataError as error:
                suspicions.append(Suspicion(UNTRAINABLE, split, '', str(error)))
    if not images:
        raise DataError(f'{root / "images"} has none of train, val and test')
    suspicions += pixel_suspicions(images)
    return Inspected(
        kind='label maps',
        images=images,
        counts={
            split: dict(zip(classes, counts[:-1].tolist(), strict=True))
            for split, counts in pixels.items()
        },
        table=_table(classes, images, pixels, in_images),
        figures={
            split: dict(
                void_pixels=int(pixels[split][-1]),
                images_with_class=dict(zip(classes, counts[:-1].tolist(), strict=True)),
            )
            for split, counts in in_images.items()
        },
        suspicions=suspicions,
    )


def _counted(
    entry: ImageEntry, file: Path | None, split: str, num_classes: int
) -> tuple[np.ndarray | None, list[Suspicion]]:
    """Return the numbers of pixels of each class and of void in a map, and its suspicions."""
    if file is None:
        return None, [Suspicion(BAD_MAP, split, entry.name, 'it is not there', True)]
    try:
        labels = read_label_map(file)
        check_labels(labels, num_classes, file)
    except DataError as error:
        return None, [Suspicion(BAD_MAP, split, entry.name, str(error), True)]
    try:
        size = read_upright(entry.path).shape[:2]
    except DataError:
        # Reported with the images.
        return None, []
    try:
        check_size(labels, size, file)
    except DataError as error:
        return None, [Suspicion(BAD_MAP, split, entry.name, str(error), True)]
    void = labels == VOID
    counts = np.append(np.bincount(labels[~void], minlength=num_classes), void.sum())
    present = np.flatnonzero(counts[:-1])
    if not len(present):
        return counts, [Suspicion(ALL_VOID, split, entry.name, '', True)]
    if len(present) == 1 and not counts[-1] and num_classes > 1:
        return counts, [Suspicion(ONE_CLASS, split, entry.name, f'label {present[0]}')]
    return counts, []


def _table(classes, images, pixels, in_images) -> str:
    rows = [['', *images], ['images', *(str(len(entries)) for entries in images.values())]]
    totals = {split: max(int(counts[:-1].sum()), 1) for split, counts in pixels.items()}
    whole = {split: max(int(counts.sum()), 1) for split, counts in pixels.items()}
    rows.append(['void', *(f'{pixels[split][-1] / whole[split]:.1%}' for split in images)])
    for place, name in enumerate(classes):
        cells = [f'{pixels[split][place] / totals[split]:.1%}' for split in images]
        rows.append([f'  {name}', *cells])
    rows.append(['images that have the class', *('' for _ in images)])
    for place, name in enumerate(classes):
        rows.append([f'  {name}', *(str(in_images[split][place]) for split in images)])
    return text_table(rows)
