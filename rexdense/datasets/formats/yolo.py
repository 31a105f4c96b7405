"""YOLO's text files, with a row per object: the number of its class and its box in fractions.

Source of the form: Ultralytics' documentation, "Object Detection Datasets" and "Instance
Segmentation Datasets". A row is ``class x y width height`` with the centre of the box, or ``class
x1 y1 x2 y2 ...`` with three points of a polygon or more; all but the class are fractions of the
image's width and height. Where the YAML file has ``kpt_shape``, key points follow the box, which
are left out ("Pose Estimation Datasets"); so is a single number behind it, which is a track of
CVAT's or a score of Ultralytics'.
"""

import math
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any

from rexdense.datasets.coco.cleaning import box_of_mask
from rexdense.datasets.formats.conversion import (
    CocoBuilder,
    Converted,
    images_by_stem,
    only_image,
    size_of_image,
)
from rexdense.datasets.formats.split_folders import (
    UNDIVIDED,
    by_split,
    split_of,
    subfolder,
    subfolders,
)
from rexdense.datasets.formats.yolo_splits import LISTS, stated_splits
from rexdense.datasets.images.folders import IMAGE_ENDINGS, is_data
from rexdense.datasets.text_files import CLASS_FILE, read_limited
from rexdense.errors import DataError

LABELS, IMAGES = 'labels', 'images'
MOST_BYTES = 16 * 2**20
_NAME_FILES = (CLASS_FILE, 'obj.names', 'classes.names', '_darknet.labels')
_NO_LABELS = LISTS | {CLASS_FILE}
_ROUNDING = 0.01
"""By how much a fraction may exceed 0 to 1, since tools round; the box is clipped later."""


def is_yolo(root: Path) -> bool:
    """Whether a folder has row files beside images, as in YOLO."""
    return bool(_split_folders(root))


def read_yolo(root: Path) -> dict[str, Converted]:
    """Read a data set in YOLO's form, by split.

    Laid out as Ultralytics (``images/train``, ``labels/train``), Roboflow (``train/images``,
    ``train/labels``), Label Studio (``images``, ``labels``), CVAT (``obj_train_data``) or labelImg
    and Darknet (rows beside their images, in ``train`` and ``val`` or not) do it. Where the folders
    name no splits, those of the YAML file or of lists of images hold, see
    :func:`~rexdense.datasets.formats.yolo_splits.stated_splits`. The names of the classes are those
    of ``data.yaml`` or another YAML file, as they are spelt there, ``classes.txt``, ``obj.names``
    or ``_darknet.labels``. Images without a row file have no objects.

    Raises:
        DataError: there are no such folders, or two for a split; or no names of classes, or several
            lists of them.
    """
    folders = _split_folders(root)
    if not folders:
        raise DataError(
            f'{root} is not laid out as YOLO does it: looked for {LABELS}/ with .txt files beside '
            f'{IMAGES}/, for train/{LABELS} beside train/{IMAGES}, for obj_train_data/, and for '
            '.txt files beside images of their names'
        )
    classes, with_points = _class_names(root)
    if UNDIVIDED in folders:
        images, labels = folders[UNDIVIDED]
        names = {name for each in images_by_stem(images).values() for name in each}
        stated = stated_splits(root, _yaml_of(root), images, names)
        if stated:
            return {
                split: _read_split(root, images, labels, classes, with_points, chosen)
                for split, chosen in stated.items()
            }
    return {
        split: _read_split(root, images, labels, classes, with_points)
        for split, (images, labels) in folders.items()
    }


def _split_folders(root: Path) -> dict[str, tuple[Path, Path]]:
    """Return the folders of images and row files of each split."""
    folders = [
        (split_of(labels.name), subfolder(root, IMAGES) / labels.name, labels)
        for labels in subfolders(subfolder(root, LABELS))
    ]
    for folder in subfolders(root):
        places = subfolder(folder, IMAGES), subfolder(folder, LABELS)
        folders.append((split_of(folder.name), *places))
        # CVAT's folders: obj_train_data, obj_Train_data, obj_Validation_data.
        if folder.name.startswith('obj_') and folder.name.endswith('_data'):
            folders.append((split_of(folder.name[4:-5]) or UNDIVIDED, folder, folder))
        elif _has_rows_beside_images(folder):
            folders.append((split_of(folder.name), folder, folder))
    wholes = [(UNDIVIDED, subfolder(root, IMAGES), subfolder(root, LABELS))]
    if _has_rows_beside_images(root):
        wholes.append((UNDIVIDED, root, root))
    for among in (folders, wholes):
        of_labels = {labels: images for _, images, labels in among}
        rows = by_split(
            (split, labels)
            for split, images, labels in among
            if split and images.is_dir() and labels.is_dir() and _row_files(labels)
        )
        if rows:
            return {split: (of_labels[labels], labels) for split, labels in rows.items()}
    return {}


def _has_rows_beside_images(folder: Path) -> bool:
    """Whether a folder itself holds a row file and the image of its name, as labelImg writes them
    and Darknet reads them."""
    files = [path for path in folder.iterdir() if is_data(path.name)]
    images = {path.stem for path in files if path.suffix.lower() in IMAGE_ENDINGS}
    rows = (path for path in files if path.suffix == '.txt' and path.name not in _NO_LABELS)
    return any(path.stem in images for path in rows)


def _row_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob('*.txt')) if path.name not in _NO_LABELS]


def _class_names(root: Path) -> tuple[list[str], bool]:
    """Return the class names, and whether key points follow the boxes. Raise DataError if no file
    has the names, or if a file cannot be read."""
    for path in _yaml_files(root):
        names, with_points = _names_of_yaml(path, _read_yaml(path))
        if names:
            return _unlike(path, names), with_points
    for folders in ((root,), (subfolder(root, LABELS),), subfolders(root)):
        places = [folder / name for folder in folders for name in _NAME_FILES]
        found = {path: _names_of_lines(path) for path in places if path.is_file()}
        for path, names in found.items():
            first = next(iter(found))
            if names != found[first] and path.parent != first.parent:
                raise DataError(
                    f'{first} and {path} name other classes, or in another order, and rows number '
                    f'them: write the one list that holds into {root / _NAME_FILES[0]}'
                )
        if found:
            return next(iter(found.values())), False
    raise DataError(
        f'{root} has no names of classes: looked for names in data.yaml, and for '
        f'{", ".join(_NAME_FILES)}; write a name a line into {_NAME_FILES[0]}'
    )


def _names_of_lines(path: Path) -> list[str]:
    text = read_limited(path, MOST_BYTES).decode('utf-8-sig', errors='replace')
    names = [line.strip() for line in text.rstrip().splitlines()]
    if '' in names:
        raise DataError(
            f'{path} has no name in line {names.index("") + 1}, and classes are numbered by lines: '
            'write a name there, or take the line out'
        )
    return _unlike(path, names)


def _unlike(path: Path, names: list[str]) -> list[str]:
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise DataError(f'{path} names the class {twice[0]!r} twice; give each a name of its own')
    return names


def _yaml_files(root: Path) -> list[Path]:
    return sorted(root.glob('*.y*ml'))


def _yaml_of(root: Path) -> dict[str, Any]:
    """Return the content of the YAML file with the class names; empty if there is none."""
    contents = map(_read_yaml, _yaml_files(root))
    return next((content for content in contents if content.get('names')), {})


def _read_yaml(path: Path) -> dict[str, Any]:
    """Return the content of a YAML file as texts; empty if it is no mapping."""
    import yaml

    try:
        # Parse everything as text: yes, no, 010 and null are class names here.
        content = yaml.load(read_limited(path, MOST_BYTES), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = ' '.join(str(error).split())[:80]
        raise DataError(f'{path} is no YAML ({reason})') from None
    return content if isinstance(content, dict) else {}


def _names_of_yaml(path: Path, content: dict[str, Any]) -> tuple[list[str], bool]:
    """Return the class names, if there are any, and whether key points follow the boxes."""
    names = content.get('names') or []
    if isinstance(names, dict):
        numbers = [str(number) for number in range(len(names))]
        if set(names) != set(numbers):
            raise DataError(f'{path}: names has {", ".join(list(names)[:8])}; classes are 0, 1, 2')
        names = [names[number] for number in numbers]
    if not isinstance(names, list):
        raise DataError(f'{path}: names is {names[:60]}; give a list of names')
    for number, name in enumerate(names):
        if not isinstance(name, str) or not name:
            raise DataError(f'{path}: class {number} of names is no text; give it a name')
    return names, 'kpt_shape' in content


def _read_split(
    root: Path,
    images: Path,
    labels: Path,
    classes: Sequence[str],
    with_points: bool,
    chosen: Set[str] | None = None,
) -> Converted:
    builder, faults = CocoBuilder(classes), []
    stems = images_by_stem(images)
    for stem, names in sorted(stems.items()):
        if chosen is not None and chosen.isdisjoint(names):
            continue
        rows = labels / f'{stem}.txt'
        try:
            name = only_image(names)
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
                    words = line.split()[: 5 if with_points else None]
                    builder.add_object(*_object(words, classes, width, height))
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
    """Return the class, box and polygons of a row; raise DataError if it is no row of YOLO's."""
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise DataError(f'{" ".join(words)[:40]!r} are not all numbers') from None
    if not all(map(math.isfinite, numbers)):
        raise DataError('a number is NaN or infinite')
    if len(numbers) == 6:
        numbers.pop()
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
    return name, box_of_mask([polygon]), [polygon]
