"""Renumbered annotations and detections of a COCO file, and their overlaps."""

from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from rexdense.datasets.coco.annotations import CocoAnnotations
from rexdense.datasets.coco.json_file import id_key
from rexdense.errors import DataError


class ComparedImage(NamedTuple):
    """The D detections and G annotations of an image, and how they overlap.

    Attributes:
        scores: (D,), best first.
        found: (D,), the labels of the detections.
        labels: (G,), the labels of the annotations.
        crowd: (G,), bool: whether an annotation is a crowd.
        overlaps: (D, G), the IoU of each detection and annotation; for a crowd, the share of the
            detection inside it.
        size: (height, width) in pixels.
        detections: (D,), the detections in COCO's results format, in the order of ``scores``.
        annotations: (G,), the annotations in COCO's format.
    """

    scores: np.ndarray
    found: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray
    overlaps: np.ndarray
    size: tuple[int, int]
    detections: list[dict[str, Any]]
    annotations: list[dict[str, Any]]


def compared_images(
    annotations: CocoAnnotations,
    detections: Sequence[Mapping[str, Any]],
    iou_type: str = 'bbox',
    image_ids: Sequence[int | str] | None = None,
    most: int = 100,
) -> Iterator[ComparedImage]:
    """Yield the evaluated images in the order of their ids.

    Args:
        detections, iou_type, image_ids: see ``evaluate_detections``.
        most: number of detections per image and class that count, best first.

    Raises:
        DataError: the annotations do not have the image or category of a detection.
    """
    from pycocotools import mask as mask_tools

    numbers = image_numbers(annotations)
    check_images(annotations, numbers, detections, image_ids)
    truth = numbered_truth(annotations, numbers, iou_type)
    in_masks = iou_type == 'segm'
    found = numbered_detections(annotations, numbers, detections, mask_tools if in_masks else None)
    looked_at = numbers if image_ids is None else map(id_key, image_ids)
    wanted = sorted({numbers[key] for key in looked_at})
    by_image: dict[int, tuple[list, list]] = {number: ([], []) for number in wanted}
    for place, entries in enumerate((found, truth['annotations'])):
        for entry in entries:
            if entry['image_id'] in by_image:
                by_image[entry['image_id']][place].append(entry)
    sizes = {image['id']: (image['height'], image['width']) for image in truth['images']}
    for number, (of_image, annotated) in by_image.items():
        best = _best(of_image, most)
        crowd = np.array([entry['iscrowd'] for entry in annotated], bool)
        overlaps = np.zeros((len(best), len(annotated)))
        if best and annotated:
            shapes = [
                [_shape(entry, in_masks, sizes[number], mask_tools) for entry in entries]
                for entries in (best, annotated)
            ]
            if not in_masks:
                shapes = [np.array(boxes, np.float64) for boxes in shapes]
            overlaps = np.asarray(mask_tools.iou(*shapes, crowd.astype(np.uint8)))
        yield ComparedImage(
            np.array([entry['score'] for entry in best], np.float64),
            np.array([entry['category_id'] - 1 for entry in best], int),
            np.array([entry['category_id'] - 1 for entry in annotated], int),
            crowd,
            overlaps,
            sizes[number],
            best,
            annotated,
        )


def _best(detections: list[dict], most: int) -> list[dict]:
    """Return the best detections of each class of an image, best first."""
    counts: dict[int, int] = {}
    kept = []
    for detection in sorted(detections, key=lambda entry: -entry['score']):
        label = detection['category_id']
        counts[label] = counts.get(label, 0) + 1
        if counts[label] <= most:
            kept.append(detection)
    return kept


def _shape(entry: dict, in_masks: bool, size: tuple[int, int], mask_tools: ModuleType) -> Any:
    """Return the shape that pycocotools compares: a box, or the run lengths of a mask."""
    if not in_masks:
        return entry['bbox']
    mask = entry['segmentation']
    if isinstance(mask, dict) and not isinstance(mask['counts'], list):
        return mask
    coded = mask_tools.frPyObjects(mask, *size)
    return mask_tools.merge(coded) if isinstance(coded, list) else coded


def image_numbers(annotations: CocoAnnotations) -> dict[str, int]:
    """Number the images from 1 in the order of their ids, which is pycocotools' order of images."""
    ids = [image['id'] for image in annotations.dataset['images']]
    ids.sort(key=lambda value: (isinstance(value, str), value))
    return {id_key(value): number for number, value in enumerate(ids, start=1)}


def check_images(
    annotations: CocoAnnotations,
    numbers: Mapping[str, int],
    detections: Sequence[Mapping[str, Any]],
    image_ids: Sequence[int | str] | None,
) -> None:
    """Check that the annotations have all evaluated images."""
    for image_id in [*(image_ids or ()), *(detection['image_id'] for detection in detections)]:
        if id_key(image_id) not in numbers:
            raise DataError(
                f'detections are of image {image_id!r}, which is not in {annotations.path}; '
                'evaluate against the file that the images came from'
            )


def numbered_truth(annotations: CocoAnnotations, numbers: Mapping[str, int], iou_type: str) -> dict:
    """Return the annotations in the form of a COCO file, with new numbers."""
    images = [
        {
            'id': numbers[id_key(image['id'])],
            'width': int(image['width']),
            'height': int(image['height']),
        }
        for image in annotations.dataset['images']
    ]
    categories = [
        {'id': number, 'name': name} for number, name in enumerate(annotations.classes, start=1)
    ]
    entries = []
    for number, entry in enumerate(annotations.dataset['annotations'], start=1):
        numbered = {
            'id': number,
            'image_id': numbers[id_key(entry['image_id'])],
            'category_id': annotations.labels[entry['category_id']] + 1,
            'bbox': entry['bbox'],
            'area': entry['area'],
            'iscrowd': entry['iscrowd'],
        }
        if iou_type == 'segm':
            numbered['segmentation'] = entry['segmentation']
        entries.append(numbered)
    return {'images': images, 'categories': categories, 'annotations': entries}


def numbered_detections(
    annotations: CocoAnnotations,
    numbers: Mapping[str, int],
    detections: Sequence[Mapping[str, Any]],
    mask_tools: ModuleType | None,
) -> list[dict]:
    """Return the detections as annotations of a COCO file, like pycocotools' ``COCO.loadRes``.

    Args:
        mask_tools: module of mask functions, if masks are compared.
    """
    labels = {id_key(category_id): label for category_id, label in annotations.labels.items()}
    found = []
    for number, detection in enumerate(detections, start=1):
        image, category = id_key(detection['image_id']), id_key(detection['category_id'])
        if category not in labels:
            raise DataError(
                f'detections are of category {detection["category_id"]!r}, which is not among the '
                f'classes evaluated in {annotations.path}'
            )
        entry = {
            'id': number,
            'image_id': numbers[image],
            'category_id': labels[category] + 1,
            'score': detection['score'],
            'iscrowd': 0,
        }
        if mask_tools is not None:
            segmentation = detection['segmentation']
            entry['segmentation'] = segmentation
            entry['area'] = float(mask_tools.area(segmentation))
            entry['bbox'] = mask_tools.toBbox(segmentation).tolist()
            entry['score'] = detection.get('mask_score', detection['score'])
        else:
            entry['bbox'] = detection['bbox']
            entry['area'] = detection['bbox'][2] * detection['bbox'][3]
        found.append(entry)
    return found
