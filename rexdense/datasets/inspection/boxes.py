"""Inspection of a data set of boxes or masks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rexdense.datasets.coco.annotations import CocoAnnotations, read_annotations
from rexdense.datasets.coco.folder import summary
from rexdense.datasets.coco.json_file import id_key
from rexdense.datasets.file_names import find_files
from rexdense.datasets.formats.conversion import size_of_image
from rexdense.datasets.inspection.doubles import double_boxes
from rexdense.datasets.inspection.findings import (
    ImageEntry,
    Inspected,
    Suspicion,
    alike_names,
)
from rexdense.datasets.inspection.holes import with_inner_polygons
from rexdense.datasets.inspection.pixels import pixel_suspicions
from rexdense.text_table import text_table

DOUBLE = 'double box of one class, IoU over 0.8'
COVERS_ALL = 'box that covers the whole image'
CUT = 'box that reaches out of its image'
UNLIKE = 'mask that disagrees with its box'
FILLED = 'mask polygon inside another, which makes no hole'
MISSING = 'image that is not there'
NOT_READ = 'file or row that cannot be read'
EMPTY = 'split without a single object'

WHOLE_FROM = 0.98
"""Share of the image from which a box counts as covering it."""
SMALL, LARGE = 32**2, 96**2
"""Areas in pixels that divide COCO's small, medium and large objects (Lin et al. 2014)."""


@dataclass(frozen=True)
class BoxSplit:
    """A split of a data set of boxes.

    Attributes:
        boxes: Its annotations, checked as boxes.
        masks: The same annotations, checked as masks; None if there are none.
        left_out: Ids of the annotations that training leaves out, by reason.
        sources: The image and class of each annotation by its id, as in the file.
        content: The unchanged content of the file.
        faults: Files and rows that could not be read.
    """

    boxes: CocoAnnotations
    masks: CocoAnnotations | None
    left_out: Mapping[str, Sequence[int | str]]
    sources: Mapping[int | str, str]
    content: dict[str, Any]
    faults: Sequence[str] = ()

    @property
    def checked(self) -> CocoAnnotations:
        """The annotations for a cleaned copy: those with usable masks if all have masks."""
        return self.boxes if self.masks is None else self.masks


def read_box_split(
    path: Path,
    folders: Sequence[Path],
    content: dict[str, Any],
    faults: Sequence[str] = (),
    no_crowds: bool = False,
) -> BoxSplit:
    """Check the annotations of a split as training does.

    Args:
        path: The source of the annotations.
        folders: Folders that may have the images.
        content: The content of the source.
        faults: Messages on what could not be read.
        no_crowds: Take crowds for single objects; this changes ``content``.

    Raises:
        DataError: the annotations are not of COCO's form.
    """
    _state_sizes(content, folders)
    if no_crowds:
        _make_single(content)
    boxes = _read(path, folders, content, need_masks=False)
    annotations = content.get('annotations', [])
    with_masks = sum(bool(entry.get('segmentation')) for entry in annotations)
    masks = None
    if with_masks > len(annotations) / 2:
        masks = _read(path, folders, content, need_masks=True)
    names = {id_key(image['id']): image['file_name'] for image in content['images']}
    sources = {
        entry['id']: names.get(id_key(entry['image_id']), f'of id {entry["image_id"]!r}')
        for entry in annotations
    }
    left_out = (boxes if masks is None else masks).left_out
    return BoxSplit(boxes, masks, left_out, sources, content, faults)


def _state_sizes(content: Any, folders: Sequence[Path]) -> None:
    """Give images that state no size that of their files, as Label Studio leaves it to those that
    nobody has annotated."""
    images = content.get('images') if isinstance(content, dict) else None
    lacking = [
        image
        for image in (images if isinstance(images, list) else ())
        if isinstance(image, dict) and isinstance(image.get('file_name'), str)
        if image.get('width') is None or image.get('height') is None
    ]
    for folder in folders if lacking else ():
        names = find_files(folder, [image['file_name'] for image in lacking])
        for image, name in zip(lacking, names, strict=True):
            if name is not None:
                image['height'], image['width'] = size_of_image(folder / name)


def _make_single(content: Any) -> None:
    entries = content.get('annotations') if isinstance(content, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            entry['iscrowd'] = 0


def _read(
    path: Path, folders: Sequence[Path], content: dict[str, Any], need_masks: bool
) -> CocoAnnotations:
    return read_annotations(
        path,
        folders,
        need_boxes=False,
        need_masks=need_masks,
        may_lack_images=True,
        # The check completes the content in place.
        content=_copied(content),
    )


def _copied(content: Any) -> Any:
    """Return a copy of the lists and their entries."""
    if isinstance(content, dict):
        return {
            key: [dict(entry) if isinstance(entry, dict) else entry for entry in value]
            if isinstance(value, list)
            else value
            for key, value in content.items()
        }
    return content


def inspect_boxes(splits: Mapping[str, BoxSplit]) -> Inspected:
    """Inspect a data set of boxes or masks."""
    boxes = {split: read.boxes for split, read in splits.items()}
    images = {
        split: [
            ImageEntry(image['file_name'], Path(sample.image), sample.size)
            for image, sample in zip(read.dataset['images'], read.image_samples(), strict=True)
        ]
        for split, read in boxes.items()
    }
    figures = {split: _sizes(read) for split, read in boxes.items()}
    with_masks = any(read.masks is not None for read in splits.values())
    found = Inspected(
        kind='masks' if with_masks else 'boxes',
        images=images,
        counts={split: read.boxes_per_class for split, read in boxes.items()},
        table=f'{summary(boxes)}\n\n{_size_table(figures)}',
        figures=figures,
        samples_without={split: _without(read) for split, read in boxes.items()},
        sides={split: _sides(read).tolist() for split, read in boxes.items()},
        objects={split: _objects_of_images(read) for split, read in boxes.items()},
    )
    for split, read in splits.items():
        found.suspicions += _suspicions(split, read)
    found.suspicions += _class_suspicions(boxes)
    found.suspicions += pixel_suspicions(images)
    return found


def _suspicions(split: str, read: BoxSplit) -> list[Suspicion]:
    """Return the suspicious annotations of a split."""
    found = [Suspicion(NOT_READ, split, '', fault, True) for fault in read.faults]
    if not read.boxes.dataset['annotations']:
        found.append(Suspicion(EMPTY, split, ''))
    found += [Suspicion(MISSING, split, name, '', True) for name in read.boxes.missing]
    gone = set(read.boxes.missing)
    for reason, ids in read.left_out.items():
        found += [
            _of_annotation(reason, split, read, each, left_out=True)
            for each in ids
            if read.sources[each] not in gone
        ]
    for each in read.boxes.clipped_boxes:
        found.append(_of_annotation(CUT, split, read, each, left_out=True))
    if read.masks is not None:
        for each in read.masks.masks_unlike_boxes:
            found.append(_of_annotation(UNLIKE, split, read, each, left_out=False))
        for entry in with_inner_polygons(read.masks.dataset['annotations']):
            found.append(_of_annotation(FILLED, split, read, entry['id'], left_out=False))
    names = {image['id']: image for image in read.boxes.dataset['images']}
    classes = {key: name for name, key in read.boxes.category_ids.items()}
    for entry in read.boxes.dataset['annotations']:
        image = names[entry['image_id']]
        share = entry['bbox'][2] * entry['bbox'][3] / (int(image['width']) * int(image['height']))
        if share >= WHOLE_FROM and not entry['iscrowd']:
            detail = f'annotation {entry["id"]}, {classes[entry["category_id"]]}, {share:.0%} of it'
            found.append(
                Suspicion(COVERS_ALL, split, image['file_name'], detail, annotations=(entry['id'],))
            )
    for first, second, iou in double_boxes(read.boxes.dataset['annotations']):
        detail = (
            f'annotations {first["id"]} and {second["id"]}, {classes[first["category_id"]]}, '
            f'IoU {iou:.2f}'
        )
        image = names[first['image_id']]['file_name']
        ids = first['id'], second['id']
        found.append(Suspicion(DOUBLE, split, image, detail, True, annotations=ids))
    return found


def _of_annotation(
    what: str, split: str, read: BoxSplit, key: int | str, left_out: bool
) -> Suspicion:
    image = read.sources[key]
    return Suspicion(what, split, image, f'annotation {key}', left_out, annotations=(key,))


def _class_suspicions(boxes: Mapping[str, CocoAnnotations]) -> list[Suspicion]:
    """Return the classes with nearly the same name, and those that training does not have and
    therefore refuses."""
    found = []
    for split, read in boxes.items():
        found += alike_names(split, read.file_classes)
    if 'train' not in boxes:
        return found
    known = boxes['train'].file_classes
    return found + [
        Suspicion('class that train does not have', split, '', repr(name))
        for split, read in boxes.items()
        for name in read.file_classes
        if name not in known
    ]


def _without(read: CocoAnnotations) -> list[str]:
    annotated = {entry['image_id'] for entry in read.dataset['annotations']}
    return [image['file_name'] for image in read.dataset['images'] if image['id'] not in annotated]


def _sizes(read: CocoAnnotations) -> dict[str, Any]:
    """Return the numbers of small, medium and large objects, and the lengths of their sides."""
    entries = _single(read)
    areas = np.array([entry['area'] for entry in entries], np.float64)
    small, large = int((areas < SMALL).sum()), int((areas >= LARGE).sum())
    sides = _sides(read)
    quantiles = np.quantile(sides, (0.05, 0.5, 0.95)) if len(sides) else []
    return dict(
        objects=len(entries),
        object_sizes=dict(small=small, medium=len(entries) - small - large, large=large),
        object_sides=[round(float(side), 1) for side in quantiles],
        most_objects_in_an_image=max(_objects_of_images(read), default=0),
    )


def _single(read: CocoAnnotations) -> list[dict]:
    return [entry for entry in read.dataset['annotations'] if not entry['iscrowd']]


def _sides(read: CocoAnnotations) -> np.ndarray:
    """Return the square roots of the areas of all boxes."""
    return np.sqrt([entry['bbox'][2] * entry['bbox'][3] for entry in _single(read)])


def _objects_of_images(read: CocoAnnotations) -> list[int]:
    counts = Counter(entry['image_id'] for entry in _single(read))
    return [counts[image['id']] for image in read.dataset['images']]


def _size_table(figures: Mapping[str, dict[str, Any]]) -> str:
    columns = list(figures.values())
    rows = [['sizes of objects, in pixels', *figures]]
    for name, meaning in (
        ('small', 'small, area below 32 x 32'),
        ('medium', 'medium'),
        ('large', 'large, area of 96 x 96 or more'),
    ):
        rows.append([meaning, *(str(column['object_sizes'][name]) for column in columns)])
    for place, share in enumerate(('5 %', '50 %', '95 %')):
        sides = [column['object_sides'] for column in columns]
        cells = [f'{side[place]:.0f}' if side else '-' for side in sides]
        rows.append([f'side, {share} are shorter', *cells])
    most = [str(column['most_objects_in_an_image']) for column in columns]
    rows.append(['most objects in an image', *most])
    return text_table(rows)
