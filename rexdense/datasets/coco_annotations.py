"""A COCO annotation file that has been read, checked and cleaned.

It needs neither torch nor an OpenMMLab package, so the command line can check a folder in advance.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rexdense.datasets import coco_cleaning as cleaning
from rexdense.datasets.coco_json import first_three, id_key, load_coco_json
from rexdense.errors import DataError, suggest

__all__ = ['CocoAnnotations', 'read_annotations']


@dataclass(frozen=True)
class CocoAnnotations:
    """A COCO annotation file, cleaned.

    Attributes:
        path: where it was read from.
        classes: the classes asked for, else all of the file in the order of its categories. A label
            is a place in this order.
        file_classes: all classes of the file in the order of its categories.
        category_ids: the file's own category id of each class that it knows.
        dataset: ``images``, ``annotations`` and ``categories`` as in the file, less the annotations
            that were dropped. Every annotation has ``bbox`` (inside the image), ``area``,
            ``iscrowd`` and the image and category ids in the spelling of their lists.
            Images without annotations stay: they are background to learn from.
        dropped: number of annotations that were left out, by reason.
        clipped: number of boxes that were cut to their image.
    """

    path: Path
    classes: tuple[str, ...]
    file_classes: tuple[str, ...]
    category_ids: Mapping[str, int | str]
    dataset: dict[str, Any]
    dropped: Mapping[str, int]
    clipped: int

    @cached_property
    def labels(self) -> dict[int | str, int]:
        """The place in ``classes`` of each category id."""
        places = {name: place for place, name in enumerate(self.classes)}
        return {category_id: places[name] for name, category_id in self.category_ids.items()}

    @cached_property
    def boxes_per_class(self) -> dict[str, int]:
        """Number of boxes of each class, crowds included."""
        counts = Counter(entry['category_id'] for entry in self.dataset['annotations'])
        return {name: counts[self.category_ids.get(name)] for name in self.classes}

    @cached_property
    def images_without_boxes(self) -> int:
        """Number of images that are all background."""
        annotated = {entry['image_id'] for entry in self.dataset['annotations']}
        return len(self.dataset['images']) - len(annotated)


def read_annotations(
    path: str | os.PathLike[str],
    image_folder: str | os.PathLike[str] | None = None,
    classes: Sequence[str] | None = None,
    *,
    may_lack_classes: bool = False,
    need_boxes: bool = True,
    need_masks: bool = False,
) -> CocoAnnotations:
    """Read a COCO annotation file, check it and leave out what cannot be used.

    Args:
        image_folder: where the images lie; None leaves it unchecked that they are there.
        classes: names of the classes wanted; None stands for all of the file.
        may_lack_classes: whether the file need not know all of ``classes``, as a small validation
            set may not.
        need_boxes: whether a file without a usable annotation is an error. Pictures that are only
            to be predicted have none.
        need_masks: whether annotations without a usable mask are left out too.

    Raises:
        DataError: the file cannot be read or is not COCO, an id or class name occurs twice, a class
            asked for is not in it, nothing usable is in it, or images are missing.
    """
    path = Path(path)
    content = load_coco_json(path, need_annotations=need_boxes)
    category_names = {
        id_key(category['id']): str(category['name']) for category in content['categories']
    }
    file_classes = tuple(category_names.values())
    wanted = _wanted(path, file_classes, classes, may_lack_classes)
    if image_folder is not None:
        _check_images(path, content['images'], Path(image_folder))
    content['categories'] = [
        {**category, 'name': str(category['name'])} for category in content['categories']
    ]
    own_ids = {
        key: category['id']
        for key, category in zip(category_names, content['categories'], strict=True)
        if category_names[key] in wanted
    }
    annotations, dropped, clipped = _clean(content, category_names, own_ids, need_masks)
    if need_boxes and not annotations:
        raise DataError(_nothing_left(path, content, category_names, wanted, dropped))
    return CocoAnnotations(
        path=path,
        classes=wanted,
        file_classes=file_classes,
        category_ids={category_names[key]: own_id for key, own_id in own_ids.items()},
        dataset={**content, 'annotations': annotations},
        dropped=dropped,
        clipped=clipped,
    )


def _wanted(
    path: Path, file_classes: tuple[str, ...], classes: Sequence[str] | None, may_lack: bool
) -> tuple[str, ...]:
    """The classes asked for, once it is sure that the file has them."""
    if classes is None:
        return file_classes
    if isinstance(classes, str):
        raise DataError(f'classes={classes!r} is one name; give a list of names')
    absent = [name for name in classes if name not in file_classes]
    if absent and (not may_lack or len(absent) == len(classes)):
        raise DataError(
            f'{path} has no class {first_three(map(repr, absent))}, which was asked for; '
            f'its classes are {_shortened(file_classes)}; {suggest(absent[0], file_classes)}'
        )
    return tuple(classes)


def _clean(
    content: dict[str, Any],
    category_names: Mapping[str, str],
    own_ids: Mapping[str, int | str],
    need_masks: bool,
) -> tuple[list[dict], dict[str, int], int]:
    """Return (annotations that can be used, number dropped by reason, number of boxes clipped)."""
    images = {id_key(image['id']): image for image in content['images']}
    dropped: Counter[str] = Counter()
    kept = []
    clipped_boxes = 0
    for entry in content['annotations']:
        image = images.get(id_key(entry['image_id']))
        category = id_key(entry['category_id'])
        if image is None:
            dropped[cleaning.UNKNOWN_IMAGE] += 1
        elif category not in category_names:
            dropped[cleaning.UNKNOWN_CATEGORY] += 1
        elif category not in own_ids:
            dropped[cleaning.OTHER_CLASS] += 1
        else:
            size = int(image['width']), int(image['height'])
            box, clipped = cleaning.clean_box(entry.get('bbox'), *size)
            mask = cleaning.clean_segmentation(entry.get('segmentation'), *size)
            if isinstance(box, str):
                dropped[box] += 1
            elif need_masks and mask is None:
                dropped[cleaning.NO_MASK] += 1
            else:
                clipped_boxes += clipped
                kept.append(_completed(entry, image['id'], own_ids[category], box, mask))
    return kept, dict(dropped), clipped_boxes


def _completed(
    entry: dict,
    image_id: int | str,
    category_id: int | str,
    box: list[float],
    mask: list | dict | None,
) -> dict:
    """The annotation with the keys that COCO's own files have; a missing area is the box's."""
    area = entry.get('area')
    if isinstance(area, bool) or not isinstance(area, int | float) or not area > 0:
        area = box[2] * box[3]
    completed = {
        **entry,
        'image_id': image_id,
        'category_id': category_id,
        'bbox': box,
        'area': area,
        'iscrowd': int(bool(entry.get('iscrowd'))),
    }
    completed.pop('segmentation', None)
    return completed if mask is None else {**completed, 'segmentation': mask}


def _nothing_left(
    path: Path,
    content: dict[str, Any],
    category_names: Mapping[str, str],
    wanted: tuple[str, ...],
    dropped: Mapping[str, int],
) -> str:
    """The message for a file without a single usable annotation."""
    total = len(content['annotations'])
    if not total:
        return f'{path}: its list of annotations is empty; there is nothing to learn from'
    if dropped.get(cleaning.OTHER_CLASS, 0) + dropped.get(cleaning.UNKNOWN_CATEGORY, 0) == total:
        found = Counter(
            category_names.get(id_key(entry['category_id']), f'unknown id {entry["category_id"]!r}')
            for entry in content['annotations']
        )
        listing = ', '.join(f'{name} ({count})' for name, count in found.most_common(8))
        return (
            f'{path}: no annotation has a category among the classes {_shortened(wanted)}; '
            f'its {total} annotations are of {listing}; {suggest(wanted[0], found)}'
        )
    reasons = '; '.join(f'{count} {reason}' for reason, count in dropped.items())
    message = f'{path}: none of its {total} annotations can be used ({reasons})'
    if dropped.get(cleaning.BOX_BELOW_ONE_PIXEL) == total:
        message += '; boxes are in pixels, not in fractions of the image: scale them'
    elif cleaning.NO_MASK in dropped:
        message += '; masks are needed here: add segmentation, or train a detector without masks'
    return message


def _check_images(path: Path, images: Sequence[dict], folder: Path) -> None:
    """Check that the images are there, with one look into each folder."""
    if not folder.is_dir():
        raise DataError(f'image folder {folder} is not there; give the folder of the images')
    listings: dict[str, set[str]] = {}
    missing = []
    for image in images:
        parent, name = os.path.split(os.path.join(folder, image['file_name']))
        if parent not in listings:
            listings[parent] = set(os.listdir(parent)) if os.path.isdir(parent) else set()
        if name not in listings[parent]:
            missing.append(image['file_name'])
    if missing:
        raise DataError(
            f'{path}: {len(missing)} of its {len(images)} images are missing in {folder}: '
            f'{first_three(missing)}; put them there or take them out of the file'
        )


def _shortened(names: Iterable[str]) -> str:
    names = list(names)
    shown = ', '.join(map(repr, names[:12]))
    return f'{shown} and {len(names) - 12} more' if len(names) > 12 else shown
