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

from rexdense.datasets.coco import cleaning
from rexdense.datasets.coco.json_file import first_three, id_key, load_coco_json
from rexdense.datasets.file_names import find_files
from rexdense.datasets.images.file_checks import Sample
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
        roots: names of the categories that only head others; they are no classes.
        dataset: ``images``, ``annotations`` and ``categories`` as in the file, less the annotations
            that were dropped. Every annotation has ``bbox`` (inside the image), ``area``,
            ``iscrowd`` and the image and category ids in the spelling of their lists.
            Images without annotations stay: they are background to learn from. Their
            ``file_name`` is spelt as the file on the disk is, where that was looked for.
        image_folder: where the images lie; None if they were not looked for.
        dropped: number of annotations that were left out, by reason.
        clipped: number of boxes that were cut to their image.
        boxes_of_masks: number of boxes that the file lacks and that were taken from the masks.
    """

    path: Path
    classes: tuple[str, ...]
    file_classes: tuple[str, ...]
    category_ids: Mapping[str, int | str]
    roots: tuple[str, ...]
    dataset: dict[str, Any]
    image_folder: Path | None
    dropped: Mapping[str, int]
    clipped: int
    boxes_of_masks: int

    def image_samples(self) -> list[Sample]:
        """Return the images, which were looked for, with the sizes that are stated."""
        return [
            Sample(
                os.path.join(self.image_folder, image['file_name']),
                (int(image['height']), int(image['width'])),
            )
            for image in self.dataset['images']
        ]

    @cached_property
    def labels(self) -> dict[int | str, int]:
        """The place in ``classes`` of each category id."""
        places = {name: place for place, name in enumerate(self.classes)}
        return {category_id: places[name] for name, category_id in self.category_ids.items()}

    @cached_property
    def boxes_per_class(self) -> dict[str, int]:
        """Number of boxes of each class, each around one object."""
        counts = Counter(
            entry['category_id'] for entry in self.dataset['annotations'] if not entry['iscrowd']
        )
        return {name: counts[self.category_ids.get(name)] for name in self.classes}

    @cached_property
    def crowds(self) -> int:
        """Number of boxes around crowds, which are neither learnt from nor counted as missed."""
        return sum(entry['iscrowd'] for entry in self.dataset['annotations'])

    @cached_property
    def images_without_boxes(self) -> int:
        """Number of images that are all background."""
        annotated = {entry['image_id'] for entry in self.dataset['annotations']}
        return len(self.dataset['images']) - len(annotated)


def read_annotations(
    path: str | os.PathLike[str],
    image_folder: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
    classes: Sequence[str] | None = None,
    *,
    may_lack_classes: bool = False,
    need_boxes: bool = True,
    need_masks: bool = False,
) -> CocoAnnotations:
    """Read a COCO annotation file, check it and leave out what cannot be used.

    Args:
        image_folder: where the images lie, or the folders where they may lie: the first that has
            the first image. None leaves it unchecked that they are there. Names are matched as
            :func:`~rexdense.datasets.file_names.find_files` says.
        classes: names of the classes wanted; None stands for all of the file.
        may_lack_classes: whether the file need not know all of ``classes``, as a small validation
            set may not.
        need_boxes: whether a file without a usable annotation is an error. Pictures that are only
            to be predicted have none.
        need_masks: whether annotations without a usable mask are left out too.

    Raises:
        DataError: the file cannot be read or is not COCO, an id or class name occurs twice, a class
            asked for is not in it, nothing usable is in it, all objects are crowds, or images are
            missing.
    """
    path = Path(path)
    content, roots = load_coco_json(path, need_boxes, classes)
    category_names = {
        id_key(category['id']): str(category['name']) for category in content['categories']
    }
    file_classes = tuple(category_names.values())
    wanted = _wanted(path, file_classes, classes, may_lack_classes)
    folder = None
    if image_folder is not None:
        single = isinstance(image_folder, str | os.PathLike)
        folder = _find_images(
            path,
            content['images'],
            [Path(each) for each in ([image_folder] if single else image_folder)],
        )
    content['categories'] = [
        {**category, 'name': str(category['name'])} for category in content['categories']
    ]
    own_ids = {
        key: category['id']
        for key, category in zip(category_names, content['categories'], strict=True)
        if category_names[key] in wanted
    }
    annotations, dropped, clipped, boxes_of_masks = _clean(
        content, category_names, own_ids, need_masks
    )
    if need_boxes and not annotations:
        raise DataError(_nothing_left(path, content, category_names, wanted, dropped))
    if need_boxes and all(entry['iscrowd'] for entry in annotations):
        raise DataError(
            f'{path}: all of its {len(annotations)} usable annotations have iscrowd 1, which marks '
            'groups of objects that are not learnt from; set iscrowd to 0 where a single object is '
            'annotated'
        )
    return CocoAnnotations(
        path=path,
        classes=wanted,
        file_classes=file_classes,
        category_ids={category_names[key]: own_id for key, own_id in own_ids.items()},
        roots=tuple(roots),
        dataset={**content, 'annotations': annotations},
        image_folder=folder,
        dropped=dropped,
        clipped=clipped,
        boxes_of_masks=boxes_of_masks,
    )


def _wanted(
    path: Path, file_classes: tuple[str, ...], classes: Sequence[str] | None, may_lack: bool
) -> tuple[str, ...]:
    """The classes asked for, once it is sure that the file has them."""
    if classes is None:
        return file_classes
    if isinstance(classes, str):
        raise DataError(f'classes={classes!r} is one name; give a list of names')
    twice = [name for name, number in Counter(classes).items() if number > 1]
    if twice:
        raise DataError(f'classes names {twice[0]!r} twice: each class has one label')
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
) -> tuple[list[dict], dict[str, int], int, int]:
    """Return (annotations that can be used, number dropped by reason, number of boxes clipped,
    number of boxes taken from masks)."""
    images = {id_key(image['id']): image for image in content['images']}
    dropped: Counter[str] = Counter()
    kept = []
    clipped_boxes = boxes_of_masks = 0
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
            mask = cleaning.clean_segmentation(entry.get('segmentation'), *size)
            box, clipped = cleaning.clean_box(entry.get('bbox'), *size)
            of_mask = mask is not None and box in cleaning.NO_BOX
            if of_mask:
                box, clipped = cleaning.clean_box(cleaning.box_of_mask(mask), *size)
            is_other = cleaning.mask_size(entry.get('segmentation')) not in (None, [*size[::-1]])
            no_mask = cleaning.MASK_OF_OTHER_SIZE if is_other else cleaning.NO_MASK
            if isinstance(box, str):
                dropped[no_mask if is_other and box in cleaning.NO_BOX else box] += 1
            elif need_masks and mask is None:
                dropped[no_mask] += 1
            else:
                clipped_boxes += clipped
                boxes_of_masks += of_mask
                kept.append(_completed(entry, image['id'], own_ids[category], box, clipped, mask))
    return kept, dict(dropped), clipped_boxes, boxes_of_masks


def _completed(
    entry: dict,
    image_id: int | str,
    category_id: int | str,
    box: list[float],
    clipped: bool,
    mask: list | dict | None,
) -> dict:
    """The annotation with the keys that COCO's own files have."""
    completed = {
        **entry,
        'image_id': image_id,
        'category_id': category_id,
        'bbox': box,
        'area': cleaning.clean_area(entry.get('area'), box, clipped),
        'iscrowd': cleaning.crowd_flag(entry.get('iscrowd')),
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
    elif cleaning.MASK_OF_OTHER_SIZE in dropped:
        images = {id_key(image['id']): image for image in content['images']}
        found = (
            (cleaning.mask_size(entry.get('segmentation')), images.get(id_key(entry['image_id'])))
            for entry in content['annotations']
        )
        size, image = next(
            (size, image)
            for size, image in found
            if size and image and size != [int(image['height']), int(image['width'])]
        )
        message += (
            f'; run lengths have size=[height, width]: {size} in an image of '
            f'[{image["height"]}, {image["width"]}]'
        )
    elif cleaning.NO_MASK in dropped:
        message += '; masks are needed here: add segmentation, or train a detector without masks'
    return message


def _find_images(path: Path, images: Sequence[dict], folders: Sequence[Path]) -> Path:
    """Return the folder that has the images, whose names become those on the disk."""
    there = [folder for folder in folders if folder.is_dir()]
    if not there:
        raise DataError(
            f'image folder {" or ".join(map(str, folders))} is not there; give the folder of the '
            'images'
        )
    names = [image['file_name'] for image in images]
    folder = next((folder for folder in there if find_files(folder, names[:1])[0]), there[0])
    found = find_files(folder, names)
    missing = [name for name, file in zip(names, found, strict=True) if file is None]
    if missing:
        raise DataError(
            f'{path}: {len(missing)} of its {len(images)} images are missing in {folder}: '
            f'{first_three(missing)}; put them there or take them out of the file'
        )
    for image, file in zip(images, found, strict=True):
        image['file_name'] = file
    return folder


def _shortened(names: Iterable[str]) -> str:
    names = list(names)
    shown = ', '.join(map(repr, names[:12]))
    return f'{shown} and {len(names) - 12} more' if len(names) > 12 else shown
