"""Crops of the objects of a data set of boxes, as a data set of classes to pretrain on."""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from rexdense.datasets.images.loading import LoadImage
from rexdense.datasets.inspection.boxes import BoxSplit
from rexdense.datasets.shapes.encoding import encode_png
from rexdense.errors import DataError
from rexdense.files import folder_written_aside
from rexdense.output_names import safe_name

__all__ = ['LEAST_SIDE', 'MARGIN', 'write_crops']

MARGIN = 0.1
"""What is added on each side of a box, as a share of its longer one: the edge of an object is part
of what it looks like."""
LEAST_SIDE = 4
"""Pixels of the longer side below which a box is left out: there is nothing to see in it."""
LONGEST_STEM = 50
"""Characters, of up to four bytes each, of which a name may have 255."""
_PLAIN_ID = re.compile(r'[0-9A-Za-z-]{1,40}')


def write_crops(splits: Mapping[str, BoxSplit], target: Path) -> dict[str, Counter[str]]:
    """Write ``<split>/<class>/<image>_<annotation>.png``, a crop an object, crowds left out; return
    the number of crops of each split and class.

    Args:
        splits: As :func:`rexdense.datasets.inspection.sources.read_box_splits` reads them.
        target: A new folder.

    Raises:
        DataError: two classes would have one folder, an image cannot be read, or no crop is left.
        UnwritableFile: the target cannot be written, or is there.
    """
    counts = {split: Counter() for split in splits}
    with folder_written_aside(target) as write:
        for split, read in splits.items():
            folders = _class_folders(read.checked.dataset['categories'])
            for image, stem, annotations in _images(read):
                for entry in annotations:
                    crop = _cut(image, entry['bbox'])
                    folder = folders[entry['category_id']]
                    write(
                        f'{split}/{folder}/{stem}_{_number(entry["id"])}.png',
                        encode_png(crop),
                    )
                    counts[split][folder] += 1
        empty = [split for split, classes in counts.items() if not classes]
        if empty:
            raise DataError(
                f'{empty[0]} has no object of at least {LEAST_SIDE} pixels to cut out: give data '
                'with boxes in each split'
            )
    return counts


def _class_folders(categories: Sequence[Mapping]) -> dict[int | str, str]:
    """Return the name of each category's folder by its id."""
    folders = {category['id']: _shown_name(category['name']) for category in categories}
    (folder, count), *_ = Counter(map(str.casefold, folders.values())).most_common(1)
    if count > 1:
        names = ', '.join(
            repr(category['name'])
            for category in categories
            if folders[category['id']].casefold() == folder
        )
        raise DataError(f'the classes {names} would share the folder {folder!r}: rename one')
    return folders


def _shown_name(name: str) -> str:
    """Return a safe name that does not begin with a dot, which hides files from their readers."""
    name = safe_name(name)
    return f'_{name[1:]}' if name.startswith('.') else name


def _number(key: int | str) -> str:
    """Return an annotation's id, or a digest of one that could be no part of a file's name, or of
    another's."""
    text = str(key)
    return text if _PLAIN_ID.fullmatch(text) else hashlib.sha256(text.encode()).hexdigest()[:16]


def _images(read: BoxSplit) -> Iterator[tuple[np.ndarray, str, list[Mapping]]]:
    """Yield images, (height, width, 3) of uint8 in RGB, the beginning of their crops' names and
    their objects."""
    load = LoadImage()
    dataset = read.checked.dataset
    objects: dict[int | str, list[Mapping]] = {}
    for entry in dataset['annotations']:
        if not entry['iscrowd'] and max(entry['bbox'][2:]) >= LEAST_SIDE:
            objects.setdefault(entry['image_id'], []).append(entry)
    for image in dataset['images']:
        if image['id'] in objects:
            path = Path(read.checked.image_folder, image['file_name'])
            pixels = load.transform(dict(img_path=str(path)))['img']
            # Ids are unique in a file, stems are for people.
            stem = _shown_name(Path(image['file_name']).stem)[:LONGEST_STEM]
            yield pixels[..., ::-1], stem, objects[image['id']]


def _cut(image: np.ndarray, box: Sequence[float]) -> np.ndarray:
    """Return the part of an image around a box (x, y, width, height), in pixels."""
    x, y, width, height = box
    margin = MARGIN * max(width, height)
    top, bottom = y - margin, y + height + margin
    left, right = x - margin, x + width + margin
    rows, columns = image.shape[:2]
    return np.ascontiguousarray(
        image[
            max(math.floor(top), 0) : min(math.ceil(bottom), rows),
            max(math.floor(left), 0) : min(math.ceil(right), columns),
        ]
    )
