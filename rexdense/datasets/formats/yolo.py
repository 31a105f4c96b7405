"""YOLO's text files: a row for each object, its class by number, its box as fractions.

Source of the form: Ultralytics' documentation, "Object Detection Datasets" and "Instance
Segmentation Datasets". A row is ``class x y width height`` with the centre of the box, or ``class
x1 y1 x2 y2 ...`` with three points of a polygon or more; all but the class are fractions of the
image's width and height.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from rexdense.datasets.formats.conversion import (
    CocoBuilder,
    Converted,
    box_around,
    images_by_stem,
    read_limited,
    size_of_image,
)
from rexdense.datasets.formats.split_folders import UNDIVIDED, split_of, subfolders
from rexdense.errors import DataError

__all__ = ['is_yolo', 'read_yolo']

LABELS, IMAGES = 'labels', 'images'
MOST_BYTES = 16 * 2**20
_NAME_FILES = ('classes.txt', 'obj.names', 'classes.names')
_NO_LABELS = frozenset({'classes.txt', 'train.txt', 'val.txt', 'valid.txt', 'test.txt'})
_ROUNDING = 0.01
"""By how much a fraction may leave 0 to 1; tools round, and the box is cut to its image later."""


def is_yolo(root: Path) -> bool:
    """Whether a folder holds row files beside images, as YOLO has them."""
    return bool(_split_folders(root))


def read_yolo(root: Path) -> dict[str, Converted]:
    """Read a data set in YOLO's form, by split.

    Laid out as Ultralytics (``images/train``, ``labels/train``), Roboflow (``train/images``,
    ``train/labels``), Label Studio (``images``, ``labels``) or CVAT (``obj_train_data``) do it. The
    names of the classes are those of ``data.yaml`` or another YAML file, ``classes.txt`` or
    ``obj.names``. Images without a row file have no objects.

    Raises:
        DataError: there are no such folders, or no names of classes.
    """
    folders = _split_folders(root)
    if not folders:
        raise DataError(
            f'{root} is not laid out as YOLO does it: looked for {LABELS}/ with .txt files beside '
            f'{IMAGES}/, for train/{LABELS} beside train/{IMAGES}, and for obj_train_data/'
        )
    classes = _class_names(root)
    return {
        split: _read_split(root, images, labels, classes)
        for split, (images, labels) in folders.items()
    }


def _split_folders(root: Path) -> dict[str, tuple[Path, Path]]:
    """Return the folders of images and of row files of each split."""
    found: dict[str, tuple[Path, Path]] = {}
    for labels in subfolders(root / LABELS):
        split, images = split_of(labels.name), root / IMAGES / labels.name
        if split and images.is_dir() and _row_files(labels):
            found[split] = images, labels
    for folder in subfolders(root):
        images, labels = folder / IMAGES, folder / LABELS
        split = split_of(folder.name)
        if split and images.is_dir() and labels.is_dir() and _row_files(labels):
            found[split] = images, labels
        # CVAT's: obj_train_data, obj_Train_data, obj_Validation_data.
        if folder.name.startswith('obj_') and folder.name.endswith('_data') and _row_files(folder):
            found[split_of(folder.name[4:-5]) or UNDIVIDED] = folder, folder
    if not found:
        images, labels = root / IMAGES, root / LABELS
        if images.is_dir() and labels.is_dir() and _row_files(labels):
            found[UNDIVIDED] = images, labels
    order = ('train', 'val', 'test', UNDIVIDED)
    return {split: found[split] for split in order if split in found}


def _row_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob('*.txt')) if path.name not in _NO_LABELS]


def _class_names(root: Path) -> list[str]:
    """Return the names of the classes.

    Raises:
        DataError: no file has them, or one that cannot be read.
    """
    for path in sorted(root.glob('*.y*ml')):
        names = _names_of_yaml(path)
        if names:
            return _unlike(path, names)
    for folder in (root, root / LABELS):
        for name in _NAME_FILES:
            path = folder / name
            if path.is_file():
                text = read_limited(path, MOST_BYTES).decode('utf-8-sig', errors='replace')
                return _unlike(path, [line.strip() for line in text.splitlines() if line.strip()])
    raise DataError(
        f'{root} has no names of classes: looked for names in data.yaml, and for '
        f'{", ".join(_NAME_FILES)}; write a name a line into {_NAME_FILES[0]}'
    )


def _unlike(path: Path, names: list[str]) -> list[str]:
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise DataError(f'{path} names the class {twice[0]!r} twice; give each a name of its own')
    return names


def _names_of_yaml(path: Path) -> list[str]:
    import yaml

    try:
        content = yaml.safe_load(read_limited(path, MOST_BYTES))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = ' '.join(str(error).split())[:80]
        raise DataError(f'{path} is no YAML ({reason})') from None
    names = content.get('names') if isinstance(content, dict) else None
    if isinstance(names, dict):
        if sorted(names, key=str) != sorted(range(len(names)), key=str):
            raise DataError(f'{path}: names has {list(names)[:8]}; classes are 0, 1, 2 ...')
        names = [names[number] for number in range(len(names))]
    if names is not None and not isinstance(names, list):
        raise DataError(f'{path}: names is {names!r:.60}; give a list of names')
    return [str(name) for name in names or []]


def _read_split(root: Path, images: Path, labels: Path, classes: Sequence[str]) -> Converted:
    builder, faults = CocoBuilder(classes), []
    stems = images_by_stem(images)
    for stem, name in sorted(stems.items()):
        rows = labels / f'{stem}.txt'
        try:
            height, width = size_of_image(images / name)
            lines = []
            if rows.exists():
                text = read_limited(rows, MOST_BYTES).decode('utf-8-sig', errors='replace')
                lines = text.splitlines()
        except DataError as error:
            faults.append(str(error))
            continue
        builder.add_image(name, (height, width))
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    builder.add_object(*_object(line.split(), classes, width, height))
                except DataError as error:
                    faults.append(f'{rows.relative_to(root)} line {number}: {error}')
    known = {Path(stem) for stem in stems}
    faults += [
        f'{path.relative_to(root)} has no image of its name in {images.relative_to(root)}'
        for path in _row_files(labels)
        if path.relative_to(labels).with_suffix('') not in known
    ]
    if not stems:
        faults.append(f'{images.relative_to(root)} has no images')
    return Converted(builder.content(), images, faults)


def _object(
    words: Sequence[str], classes: Sequence[str], width: int, height: int
) -> tuple[str, list[float], list[list[float]] | None]:
    """Return the class, box and polygons of a row.

    Raises:
        DataError: it is no row of YOLO's.
    """
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise DataError(f'{" ".join(words)[:40]!r} are not all numbers') from None
    if not all(map(math.isfinite, numbers)):
        raise DataError('a number is NaN or infinite')
    if len(numbers) != 5 and (len(numbers) < 7 or len(numbers) % 2 == 0):
        raise DataError(
            f'{len(numbers)} numbers; a box has 5 and a polygon 7, 9, 11 ... with its class'
        )
    label, *values = numbers
    if label != int(label) or not 0 <= label < len(classes):
        raise DataError(f'class {label:g}, but there are {len(classes)}, from 0')
    if min(values) < -_ROUNDING or max(values) > 1 + _ROUNDING:
        worst = max(values, key=lambda value: abs(value - 0.5))
        raise DataError(f'{worst:g} is no fraction of the image, from 0 to 1')
    name = classes[int(label)]
    if len(values) == 4:
        x, y, box_width, box_height = values
        left, top = (x - box_width / 2) * width, (y - box_height / 2) * height
        return name, [left, top, box_width * width, box_height * height], None
    polygon = [value * (height if place % 2 else width) for place, value in enumerate(values)]
    return name, box_around([polygon]), [polygon]
