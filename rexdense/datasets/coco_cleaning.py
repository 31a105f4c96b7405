"""What a COCO annotation must be to be learnt from, and the mending of what is nearly so."""

import math
from typing import Any

__all__ = [
    'BOX_BELOW_ONE_PIXEL',
    'BOX_WITHOUT_NUMBERS',
    'NEGATIVE_BOX',
    'NO_MASK',
    'OTHER_CLASS',
    'OUTSIDE_BOX',
    'UNKNOWN_CATEGORY',
    'UNKNOWN_IMAGE',
    'ZERO_SIZE_BOX',
    'clean_box',
    'clean_segmentation',
]

UNKNOWN_IMAGE = 'of an unknown image'
UNKNOWN_CATEGORY = 'of an unknown category'
OTHER_CLASS = 'of a class not asked for'
BOX_WITHOUT_NUMBERS = 'box is not four numbers'
NEGATIVE_BOX = 'negative box size'
ZERO_SIZE_BOX = 'zero-size box'
OUTSIDE_BOX = 'box outside the image'
BOX_BELOW_ONE_PIXEL = 'box below one pixel'
NO_MASK = 'no usable mask'

_ROUNDING = 0.5
"""By how many pixels a box may reach out of its image and stay as it is: tools round."""


def clean_box(box: Any, width: int, height: int) -> tuple[list[float] | str, bool]:
    """Return (box or the reason to drop it, whether it was clipped to the image).

    A box with a side below one pixel is dropped because mmdet's ``CocoDataset`` leaves it out of
    training; so training and evaluation see the same boxes.

    Args:
        box: [left, top, width, height] in pixels.
        width, height: of the image in pixels.
    """
    if not (
        isinstance(box, list | tuple)
        and len(box) == 4
        and all(isinstance(number, int | float) and math.isfinite(number) for number in box)
    ):
        return BOX_WITHOUT_NUMBERS, False
    left, top, box_width, box_height = box
    if box_width < 0 or box_height < 0:
        return NEGATIVE_BOX, False
    if box_width == 0 or box_height == 0:
        return ZERO_SIZE_BOX, False
    right, bottom = left + box_width, top + box_height
    if left >= width or top >= height or right <= 0 or bottom <= 0:
        return OUTSIDE_BOX, False
    clipped = max(-left, -top, right - width, bottom - height) > _ROUNDING
    if clipped:
        left, top = max(left, 0), max(top, 0)
        box_width, box_height = min(right, width) - left, min(bottom, height) - top
    if box_width < 1 or box_height < 1:
        return BOX_BELOW_ONE_PIXEL, clipped
    return [left, top, box_width, box_height], clipped


def clean_segmentation(segmentation: Any, width: int, height: int) -> list | dict | None:
    """Return the usable part of a mask: polygons of three or more points, or run lengths; or None.

    A single polygon that stands without its outer list gets one. Polygons of four numbers go,
    because pycocotools takes them for boxes.

    Args:
        segmentation: polygons [[x, y, x, y, ...], ...] in pixels, or run lengths
            {'size': [height, width], 'counts': ...}.
        width, height: of the image in pixels.
    """
    if isinstance(segmentation, dict):
        counts, size = segmentation.get('counts'), segmentation.get('size')
        if not isinstance(size, list | tuple) or list(size) != [height, width]:
            return None
        if isinstance(counts, list):
            return segmentation if sum(counts) == height * width else None
        return segmentation if isinstance(counts, str) and counts else None
    if not isinstance(segmentation, list):
        return None
    if segmentation and isinstance(segmentation[0], int | float):
        segmentation = [segmentation]
    usable = [
        polygon
        for polygon in segmentation
        if isinstance(polygon, list) and len(polygon) >= 6 and len(polygon) % 2 == 0
    ]
    return usable or None
