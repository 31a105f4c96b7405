"""Reading, checking and cleaning of COCO annotation files, without torch and OpenMMLab."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rexdense.datasets.coco import cleaning
from rexdense.datasets.coco.cleaned import clean_annotations
from rexdense.datasets.coco.json_file import check_form, id_key, read_json
from rexdense.datasets.file_names import find_files
from rexdense.datasets.formats.voc import is_voc, read_voc
from rexdense.datasets.garbage_collection import collector_paused
from rexdense.datasets.images.file_checks import Sample
from rexdense.errors import DataError, some_of, suggest

BOXES_ALONE = 'configs/rexnet/faster-rcnn_rexnet-1.0_fpn_custom_coco.py'
"""A config for annotations without masks."""


@dataclass(frozen=True)
class CocoAnnotations:
    """A COCO annotation file, cleaned.

    Attributes:
        path: the annotation file.
        classes: the requested classes, or all of the file in the order of its categories. A label
            is an index into them.
        file_classes: all classes of the file in the order of its categories.
        category_ids: the category id in the file of each class that it has.
        roots: names of the categories that are only super-categories of others, not classes.
        dataset: ``images``, ``annotations`` and ``categories`` of the file, without the annotations
            that were left out. Every annotation has ``bbox`` (inside the image), ``area``,
            ``iscrowd`` and the ids as they are spelt in the lists of images and categories.
            Images without annotations are kept as background. ``file_name`` is spelt as on the
            disk, if the images were searched.
        image_folder: the folder of the images; None if they were not searched.
        left_out: ids of the annotations that were left out, by reason.
        clipped_boxes: ids of the annotations whose box was clipped to its image.
        boxes_of_masks: number of boxes that were missing and computed from the masks.
        turned_boxes: number of rotated boxes, which the file stores unrotated.
        masks_unlike_boxes: ids of the annotations whose mask disagrees with the box: the box around
            the mask has an IoU below 0.5 with it. Both are kept. Found only if masks are needed.
        missing: names of the images that were left out because they are missing.
    """

    path: Path
    classes: tuple[str, ...]
    file_classes: tuple[str, ...]
    category_ids: Mapping[str, int | str]
    roots: tuple[str, ...]
    dataset: dict[str, Any]
    image_folder: Path | None
    left_out: Mapping[str, Sequence[int | str]]
    clipped_boxes: Sequence[int | str]
    boxes_of_masks: int
    turned_boxes: int
    masks_unlike_boxes: Sequence[int | str]
    missing: Sequence[str] = ()

    def image_samples(self) -> list[Sample]:
        """Return the images with their annotated sizes. The images must have been searched."""
        return [
            Sample(
                os.path.join(self.image_folder, image['file_name']),
                (int(image['height']), int(image['width'])),
            )
            for image in self.dataset['images']
        ]

    @cached_property
    def dropped(self) -> dict[str, int]:
        """Number of annotations that were left out, by reason."""
        return {reason: len(ids) for reason, ids in self.left_out.items()}

    @property
    def clipped(self) -> int:
        """Number of boxes that were cut to their image."""
        return len(self.clipped_boxes)

    @cached_property
    def labels(self) -> dict[int | str, int]:
        """The index into ``classes`` of each category id."""
        places = {name: place for place, name in enumerate(self.classes)}
        return {category_id: places[name] for name, category_id in self.category_ids.items()}

    @cached_property
    def boxes_per_class(self) -> dict[str, int]:
        """Number of boxes of each class, without crowds."""
        counts = Counter(
            entry['category_id'] for entry in self.dataset['annotations'] if not entry['iscrowd']
        )
        return {name: counts[self.category_ids.get(name)] for name in self.classes}

    @cached_property
    def crowds(self) -> int:
        """Number of boxes around crowds, which are not trained on and not counted as missed."""
        return sum(entry['iscrowd'] for entry in self.dataset['annotations'])

    @cached_property
    def images_without_boxes(self) -> int:
        """Number of images without annotations."""
        annotated = {entry['image_id'] for entry in self.dataset['annotations']}
        return len(self.dataset['images']) - len(annotated)


@collector_paused()
def read_annotations(
    path: str | os.PathLike[str],
    image_folder: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
    classes: Sequence[str] | None = None,
    *,
    may_lack_classes: bool = False,
    need_boxes: bool = True,
    need_masks: bool = False,
    may_lack_images: bool = False,
    content: dict[str, Any] | None = None,
) -> CocoAnnotations:
    """Read an annotation file, check it and leave out unusable annotations.

    Args:
        path: a COCO annotation file, or a path that
            :func:`~rexdense.datasets.formats.voc.is_voc` accepts.
        image_folder: the folder of the images, or several folders, of which the first that has the
            first image is taken. None skips the check that the images exist.
            :func:`~rexdense.datasets.file_names.find_files` matches the names.
        classes: names of the classes; None takes all of the file.
        may_lack_classes: whether the file may lack some of ``classes``, as a small validation set
            may.
        need_boxes: whether a file without a usable annotation is an error. Images for prediction
            have none.
        need_masks: whether annotations without a usable mask are left out too.
        may_lack_images: whether missing images are left out, with their annotations.
        content: the content of ``path`` in COCO's form, if it has been read already.

    Raises:
        DataError: the file cannot be read or is not COCO, an id or class name occurs twice, a
            requested class is missing, no annotation is usable, all objects are crowds, or images
            are missing.
    """
    path = Path(path)
    if content is None:
        content = read_voc(path).whole(path) if is_voc(path) else read_json(path)
    content, roots = check_form(path, content, need_boxes, classes)
    category_names = {
        id_key(category['id']): str(category['name']) for category in content['categories']
    }
    file_classes = tuple(category_names.values())
    wanted = _wanted(path, file_classes, classes, may_lack_classes)
    folder, missing = None, []
    if image_folder is not None:
        single = isinstance(image_folder, str | os.PathLike)
        folders = [Path(each) for each in ([image_folder] if single else image_folder)]
        folder, missing = _find_images(content['images'], folders)
    if missing:
        _take_out_missing(path, content, missing, folder, may_lack_images)
    content['categories'] = [
        {**category, 'name': str(category['name'])} for category in content['categories']
    ]
    own_ids = {
        key: category['id']
        for key, category in zip(category_names, content['categories'], strict=True)
        if category_names[key] in wanted
    }
    cleaned = clean_annotations(content, category_names, own_ids, need_masks)
    if need_boxes and not cleaned.annotations:
        dropped = {reason: len(ids) for reason, ids in cleaned.left_out.items()}
        raise DataError(_nothing_left(path, content, category_names, wanted, dropped))
    if need_boxes:
        _require_single_objects(path, cleaned.annotations)
    return CocoAnnotations(
        path=path,
        classes=wanted,
        file_classes=file_classes,
        category_ids={category_names[key]: own_id for key, own_id in own_ids.items()},
        roots=tuple(roots),
        dataset={**content, 'annotations': cleaned.annotations},
        image_folder=folder,
        left_out=dict(cleaned.left_out),
        clipped_boxes=cleaned.clipped_boxes,
        boxes_of_masks=cleaned.boxes_of_masks,
        turned_boxes=cleaned.turned_boxes,
        masks_unlike_boxes=cleaned.masks_unlike_boxes,
        missing=[image['file_name'] for image in missing],
    )


def _wanted(
    path: Path, file_classes: tuple[str, ...], classes: Sequence[str] | None, may_lack: bool
) -> tuple[str, ...]:
    """Return the requested classes; raise DataError if the file lacks one."""
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
            f'{path} has no class {some_of(map(repr, absent))}, which was asked for; '
            f'its classes are {some_of(map(repr, file_classes), 12)}; '
            f'{suggest(absent[0], file_classes)}'
        )
    return tuple(classes)


def _nothing_left(
    path: Path,
    content: dict[str, Any],
    category_names: Mapping[str, str],
    wanted: tuple[str, ...],
    dropped: Mapping[str, int],
) -> str:
    """Return the message for a file without a usable annotation."""
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
            f'{path}: no annotation has a category among the classes '
            f'{some_of(map(repr, wanted), 12)}; '
            f'its {total} annotations are of {listing}; {suggest(wanted[0], found)}'
        )
    reasons = '; '.join(f'{count} {reason}' for reason, count in dropped.items())
    message = f'{path}: none of its {total} annotations can be used ({reasons})'
    if dropped.get(cleaning.BOX_BELOW_ONE_PIXEL) == total:
        message += '; boxes are in pixels, not in fractions of the image: scale them'
    elif not set(dropped).isdisjoint(cleaning.MASK_FAULTS):
        message += f'; masks are needed here: add segmentation, or train on boxes: {BOXES_ALONE}'
    return message


def _require_single_objects(path: Path, annotations: Sequence[dict]) -> None:
    if all(entry['iscrowd'] for entry in annotations):
        raise DataError(
            f'{path}: all of its {len(annotations)} usable annotations have iscrowd 1, which marks '
            'groups of objects that are not learnt from; where they are single objects, rexdense '
            'prepare --no-crowds --out COPY sets iscrowd to 0'
        )


def _find_images(images: Sequence[dict], folders: Sequence[Path]) -> tuple[Path, list[dict]]:
    """Return the folder that has the images, and the images that it lacks; spell ``file_name`` as
    on the disk."""
    there = [folder for folder in folders if folder.is_dir()]
    if not there:
        raise DataError(
            f'image folder {" or ".join(map(str, folders))} is not there; give the folder of the '
            'images'
        )
    names = [image['file_name'] for image in images]
    folder = next((folder for folder in there if find_files(folder, names[:1])[0]), there[0])
    missing = []
    for image, file in zip(images, find_files(folder, names), strict=True):
        if file is None:
            missing.append(image)
        else:
            image['file_name'] = file
    return folder, missing


def _take_out_missing(
    path: Path, content: dict[str, Any], images: Sequence[dict], folder: Path, may_lack: bool
) -> None:
    """Remove missing images and their annotations from the content of a file. Raise DataError if
    they may not be missing, or if no image would be left."""
    if not may_lack or len(images) == len(content['images']):
        raise DataError(
            f'{path}: {len(images)} of its {len(content["images"])} images are missing in '
            f'{folder}: {some_of(image["file_name"] for image in images)}; put them there or take '
            'them out of the file'
        )
    gone = {id_key(image['id']) for image in images}
    for kind, key in (('images', 'id'), ('annotations', 'image_id')):
        content[kind] = [entry for entry in content[kind] if id_key(entry[key]) not in gone]
