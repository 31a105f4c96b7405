"""Crops of the objects of a detection data set, as a classification data set for pretraining."""

import hashlib
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from rexdense.datasets.images.files import ImageError, UnreadableImage
from rexdense.datasets.images.loading import LoadImage
from rexdense.datasets.inspection.boxes import BoxSplit
from rexdense.datasets.shapes.encoding import encode_png
from rexdense.errors import DataError
from rexdense.files.hidden_files import LONGEST_NAME
from rexdense.files.output_names import name_key, safe_name
from rexdense.files.writing import folder_written_aside

MARGIN = 0.1
"""Margin on each side of a box, as a share of its longer side, so that the edges of an object are
visible."""
LEAST_SIDE = 4
"""Shortest longer side of a box in pixels; smaller boxes are left out because they show nothing."""


def write_crops(
    splits: Mapping[str, BoxSplit],
    target: Path,
    on_error: Callable[[ImageError], object] | None = None,
) -> dict[str, Counter[str]]:
    """Write ``<split>/<class>/<image>_<annotation>.png``, one crop per object except crowds. Return
    the number of crops of each split and class.

    A name that begins with a dot gets ``_`` before it, because folder readers skip hidden files.
    Names that are too long are cut. If two crops of a split would have the same name, as with ids
    that are text, a digest of the annotation's id is inserted.

    Args:
        splits: Splits from :func:`rexdense.datasets.inspection.sources.read_box_splits`.
        target: A new folder.
        on_error: Called for each image that is missing, cannot be read or has another size than
            annotated; the other images are processed. Without it, the first such image is an error.

    Raises:
        ImageError: an image cannot be used, and ``on_error`` is None.
        DataError: two classes would share a folder, or a split would have no crop.
        UnwritableFile: the target cannot be written, or exists already.
    """
    counts = {split: Counter() for split in splits}
    with folder_written_aside(target) as write:
        for split, read in splits.items():
            folders = _class_folders(read.checked.dataset['categories'])
            taken: set[str] = set()
            for image, stem, annotations in _images(read, on_error):
                for entry in annotations:
                    crop = _cut(image, entry['bbox'])
                    folder = folders[entry['category_id']]
                    name = _free_name(stem, entry['id'], taken)
                    write(f'{split}/{folder}/{name}.png', encode_png(crop))
                    counts[split][folder] += 1
        empty = [split for split, classes in counts.items() if not classes]
        if empty:
            raise DataError(
                f'{empty[0]} has no object of at least {LEAST_SIDE} pixels to cut out of an image '
                'that can be used: give data with boxes in each split'
            )
    return counts


def _class_folders(categories: Sequence[Mapping]) -> dict[int | str, str]:
    """Return the folder name of each category by its id."""
    folders = {
        category['id']: _shortened(_visible(category['name']), LONGEST_NAME)
        for category in categories
    }
    (folder, count), *_ = Counter(map(name_key, folders.values())).most_common(1)
    if count > 1:
        names = ', '.join(
            repr(category['name'])
            for category in categories
            if name_key(folders[category['id']]) == folder
        )
        raise DataError(f'the classes {names} would share the folder {folder!r}: rename one')
    return folders


def _images(
    read: BoxSplit, on_error: Callable[[ImageError], object] | None
) -> Iterator[tuple[np.ndarray, str, list[Mapping]]]:
    """Yield images, (height, width, 3) of uint8 in RGB, with the prefix of their crops' names and
    their objects."""

    def leave_out(error: ImageError) -> None:
        if on_error is None:
            raise error
        on_error(error)

    for name in read.checked.missing:
        leave_out(UnreadableImage(f'image {name} is not there; put it there'))
    load = LoadImage()
    dataset = read.checked.dataset
    objects: dict[int | str, list[Mapping]] = {}
    for entry in dataset['annotations']:
        if not entry['iscrowd'] and max(entry['bbox'][2:]) >= LEAST_SIDE:
            objects.setdefault(entry['image_id'], []).append(entry)
    for image in dataset['images']:
        if image['id'] in objects:
            path = Path(read.checked.image_folder, image['file_name'])
            # The boxes belong to the orientation of the image that has the stated size.
            stated = dict(height=int(image['height']), width=int(image['width']))
            try:
                pixels = load.transform(dict(img_path=str(path), **stated))['img']
            except ImageError as error:
                leave_out(error)
            else:
                yield pixels[..., ::-1], Path(image['file_name']).stem, objects[image['id']]


def _free_name(stem: str, annotation: int | str, taken: set[str]) -> str:
    """Return the name of a crop, without its ending, and add it to ``taken``.

    Args:
        stem: The readable name of the image.
        annotation: Id of the annotation, unique in the file.
    """
    stem, number = _shortened(_visible(stem), 100), safe_name(str(annotation))
    name = _shortened(f'{stem}_{number}', 200)
    if name_key(name) in taken:
        name += f'~{hashlib.sha256(str(annotation).encode()).hexdigest()[:16]}'
    taken.add(name_key(name))
    return name


def _visible(name: str) -> str:
    """Return a file name that folder readers do not skip."""
    name = safe_name(name)
    return f'_{name}' if name.startswith('.') else name


def _shortened(name: str, most: int) -> str:
    """Return the beginning of a file name, with at most ``most`` bytes."""
    return os.fsencode(name)[:most].decode(errors='ignore')


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
