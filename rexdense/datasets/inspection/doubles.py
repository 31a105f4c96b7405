"""Duplicate annotations of one object."""

from collections.abc import Sequence

import numpy as np

from rexdense.datasets.coco.cleaned import LEAST_OVERLAP
from rexdense.datasets.coco.masks import decode_mask
from rexdense.errors import DataError

DOUBLE_FROM = 0.8
"""IoU above which two boxes of one class count as duplicates of one object."""


def double_boxes(annotations: Sequence[dict]) -> list[tuple[dict, dict, float]]:
    """Return the pairs of annotations of one class and image whose boxes overlap by more than
    ``DOUBLE_FROM``, in the order of the file, with their IoU. Crowds are ignored, and so are
    objects whose masks hardly overlap, such as crossed rods."""
    groups: dict[tuple, list[dict]] = {}
    for entry in annotations:
        if not entry['iscrowd']:
            groups.setdefault((entry['image_id'], entry['category_id']), []).append(entry)
    pairs = []
    for group in groups.values():
        boxes = np.array([entry['bbox'] for entry in group], np.float64)
        starts, ends = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
        areas = boxes[:, 2] * boxes[:, 3]
        for place in range(len(group) - 1):
            later = slice(place + 1, None)
            sides = np.minimum(ends[place], ends[later]) - np.maximum(starts[place], starts[later])
            common = sides.clip(min=0).prod(1)
            overlaps = common / (areas[place] + areas[later] - common)
            for other in np.flatnonzero(overlaps > DOUBLE_FROM):
                second = group[place + 1 + other]
                if not _are_apart(group[place], second):
                    pairs.append((group[place], second, float(overlaps[other])))
    return pairs


def _are_apart(first: dict, second: dict) -> bool:
    """Return whether two objects have masks whose IoU is below ``LEAST_OVERLAP``."""
    masks = [entry.get('segmentation') for entry in (first, second)]
    if not all(masks):
        return False
    sizes = [mask['size'] for mask in masks if isinstance(mask, dict)]
    # Polygons do not state the size of their image.
    farthest = max(sum(entry['bbox'][axis::2]) for entry in (first, second) for axis in (0, 1))
    height, width = sizes[0] if sizes else (int(farthest) + 1, int(farthest) + 1)
    try:
        one, other = (decode_mask(mask, height, width) for mask in masks)
    except DataError:
        return False
    return bool((one & other).sum() < LEAST_OVERLAP * (one | other).sum())
