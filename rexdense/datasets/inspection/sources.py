"""Data sets of boxes and masks in every supported form."""

from collections.abc import Callable
from pathlib import Path

from rexdense.datasets.coco.json_file import read_json
from rexdense.datasets.coco.layouts import (
    annotation_files,
    coco_files,
    image_folders,
    undivided_files,
)
from rexdense.datasets.formats.conversion import Converted
from rexdense.datasets.formats.labelme import is_labelme, read_labelme
from rexdense.datasets.formats.masks import is_masks, read_masks
from rexdense.datasets.formats.split_folders import SPLIT_NAMES, UNDIVIDED, by_split
from rexdense.datasets.formats.voc import is_voc, read_voc
from rexdense.datasets.formats.yolo import is_yolo, read_yolo
from rexdense.datasets.inspection.boxes import BoxSplit, read_box_split
from rexdense.errors import DataError, some_of

IMAGES = 'images'


def _coco_places(root: Path) -> dict[str, Path]:
    """Return the COCO file of each split.

    Raises:
        DataError: a split has several.
    """
    found = {}
    for split, names in SPLIT_NAMES.items():
        own = [root / 'annotations' / f'{name}.json' for name in names]
        files = [path for path in own if path.is_file()] or coco_files(root, split)
        if len(files) > 1:
            shown = ' and '.join(str(path.relative_to(root)) for path in files)
            raise DataError(f'{root} has {shown} for {split}: take one away')
        if files:
            found[split] = files[0]
    if not found:
        undivided = [path for path in undivided_files(root) if path.is_file()]
        found = {UNDIVIDED: undivided[0]} if undivided else {}
    return found


def _voc_places(root: Path) -> dict[str, Path]:
    places = by_split(
        (split, path)
        for split in SPLIT_NAMES
        for path in annotation_files(root, split)
        if is_voc(path)
    )
    if not places:
        folders = [path for path in undivided_files(root) if path.is_dir()]
        places = {UNDIVIDED: folders[0]} if folders else {}
    return places


def _read_voc_folder(root: Path) -> dict[str, Converted]:
    places = _voc_places(root)
    if not places:
        raise DataError(
            f'{root} is not laid out as Pascal VOC: looked for ImageSets/Main/train.txt, '
            'Annotations/ and folders of XML files'
        )
    return {split: read_voc(path) for split, path in places.items()}


CONVERTED: dict[str, tuple[Callable[[Path], object], Callable[[Path], dict[str, Converted]]]] = {
    'voc': (_voc_places, _read_voc_folder),
    'yolo': (is_yolo, read_yolo),
    'labelme': (is_labelme, read_labelme),
    'masks': (is_masks, read_masks),
}
"""Forms that are converted to COCO's: a function that detects the form, and its reader."""


def recognised(root: Path) -> str | None:
    """Return 'coco' or the form in :data:`CONVERTED` of a folder; None for others."""
    if _coco_places(root):
        return 'coco'
    return next((name for name, (is_form, _) in CONVERTED.items() if is_form(root)), None)


def read_box_splits(root: Path, form: str, no_crowds: bool = False) -> dict[str, BoxSplit]:
    """Read a data set of boxes or masks, by split.

    Args:
        form: 'coco', or one of :data:`CONVERTED`.
        no_crowds: Take crowds for single objects.

    Raises:
        DataError: the folder is not of this form, or cannot be read.
    """
    if form == 'coco':
        return {
            split: read_box_split(
                path, image_folders(root, path, IMAGES), read_json(path), no_crowds=no_crowds
            )
            for split, path in _coco_places(root).items()
        }
    converted = CONVERTED[form][1](root)
    for split, read in converted.items():
        if not read.content['images']:
            raise DataError(
                f'{root}: nothing of {split} can be read: {_faults(read) or "it is empty"}'
            )
    categories = next(filter(None, (r.content['categories'] for r in converted.values())), None)
    if categories is None:
        faults = '; '.join(filter(None, map(_faults, converted.values())))
        raise DataError(
            f'{root} has no object at all that can be read: {faults or "annotate some first"}'
        )
    splits = {}
    for split, read in converted.items():
        # A split without objects has no class names of its own.
        content = {**read.content, 'categories': read.content['categories'] or categories}
        splits[split] = read_box_split(
            root / split, [read.image_folder], content, read.faults, no_crowds
        )
    return splits


def _faults(read: Converted) -> str:
    return some_of(read.faults, 3, '; ', '; and ')
