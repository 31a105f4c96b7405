"""Checks of COCO annotations, and repair of small faults."""

import math
import sys
from collections.abc import Mapping
from typing import Any

from rexdense.datasets.coco.run_lengths import box_of_runs, runs_of_text

UNKNOWN_IMAGE = 'of an unknown image'
UNKNOWN_CATEGORY = 'of an unknown category'
OTHER_CLASS = 'of a class not asked for'
BOX_WITHOUT_NUMBERS = 'box is not four numbers'
NEGATIVE_BOX = 'negative box size'
ZERO_SIZE_BOX = 'zero-size box'
OUTSIDE_BOX = 'box outside the image'
BOX_BELOW_ONE_PIXEL = 'box below one pixel'
NO_MASK = 'no mask'
OTHER_MASK = 'mask is neither polygons nor run lengths'
FEW_POINTS = 'mask polygon of fewer than 3 points'
ODD_COORDINATES = 'mask polygon of an odd number of coordinates'
FAR_POINTS = 'mask polygon of points far outside the image'
RUNS_OF_OTHER_SIZE = 'mask run lengths of another size than the image'
DAMAGED_RUNS = 'mask run lengths that cannot be decoded'
EMPTY_MASK = 'mask without a pixel'
MASK_OUTSIDE_BOX = 'mask outside its box'
MASK_FAULTS = (
    *(NO_MASK, OTHER_MASK, FEW_POINTS, ODD_COORDINATES, RUNS_OF_OTHER_SIZE, DAMAGED_RUNS),
    *(EMPTY_MASK, MASK_OUTSIDE_BOX, FAR_POINTS),
)
NO_BOX = (BOX_WITHOUT_NUMBERS, ZERO_SIZE_BOX)
"""Boxes that count as missing; a mask then gives the box."""

_LARGEST = sys.float_info.max
_ROUNDING = 0.5
"""Pixels by which a box may exceed its image without being clipped, since tools round."""


_MOST_OF_BOX = 4
"""An area of more than so many times the box is in other units or of another object."""

_FARTHEST = 100_000
"""Pixels by which a polygon may exceed its image. pycocotools fills polygons point by point with
32-bit integers, and ends the process if memory or the integers overflow."""

_DIGITS = 6
"""Decimals of a rotated box in pixels; sines are inexact in the last ones."""

_NO = ('false', 'no', 'n', 'f', '')
"""Words that exporters write for an iscrowd of 0."""


def number_of(value: Any) -> int | float | None:
    """Return a number that fits in a float and may be written as text; None for anything else.

    Example:
        >>> number_of('12'), number_of(' 0.5'), number_of('wide'), number_of(True)
        (12, 0.5, None, None)
    """
    kind = type(value)
    if kind is not float and kind is not int:  # most are; a file has millions
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                return None
            value = int(value) if value.is_integer() else value
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
    # Whole numbers in JSON may have any length. Comparisons with NaN are false.
    return value if abs(value) <= _LARGEST else None


def crowd_flag(value: Any) -> int:
    """Return 1 for an annotation of a crowd, 0 for one of a single object; '0' is 0."""
    if type(value) is int:
        return int(value != 0)
    number = number_of(value)
    if number is None:
        number = value.strip().lower() not in _NO if isinstance(value, str) else value
    return int(bool(number))


def clean_box(box: Any, width: int, height: int) -> tuple[list[float] | str, bool]:
    """Return (box or the reason to drop it, whether it was clipped to the image).

    A box with a side below one pixel is dropped because mmdet's ``CocoDataset`` leaves it out of
    training. So training and evaluation see the same boxes.

    Args:
        box: [left, top, width, height] in pixels.
        width, height: of the image in pixels.
    """
    box = _numbers(box)
    if box is None or len(box) != 4:
        return BOX_WITHOUT_NUMBERS, False
    left, top, box_width, box_height = box
    if box_width < 0 or box_height < 0:
        return NEGATIVE_BOX, False
    if box_width == 0 or box_height == 0:
        return ZERO_SIZE_BOX, False
    right, bottom = left + box_width, top + box_height
    if left >= width or top >= height or right <= 0 or bottom <= 0:
        return OUTSIDE_BOX, False
    clipped = (
        left < -_ROUNDING
        or top < -_ROUNDING
        or right - width > _ROUNDING
        or bottom - height > _ROUNDING
    )
    if clipped:
        left, top = max(left, 0), max(top, 0)
        box_width, box_height = min(right, width) - left, min(bottom, height) - top
    if box_width < 1 or box_height < 1:
        return BOX_BELOW_ONE_PIXEL, clipped
    return [left, top, box_width, box_height], clipped


def turned_box(entry: Mapping[str, Any]) -> list[float] | None:
    """Return the box around a rotated rectangle; None if the annotation is not rotated.

    CVAT writes the rectangle before its rotation about the centre, and the angle beside it.

    Example:
        >>> turned_box(dict(bbox=[10, 20, 8, 4], attributes=dict(rotation=90.0)))
        [12.0, 18.0, 4.0, 8.0]
    """
    attributes = entry.get('attributes')
    angle = number_of(attributes.get('rotation')) if isinstance(attributes, dict) else None
    if angle is None or angle % 180 == 0 or entry.get('segmentation'):
        return None
    box = _numbers(entry.get('bbox'))
    if box is None or len(box) != 4 or min(box[2:]) <= 0:
        return None
    left, top, width, height = box
    across, along = (abs(turn(math.radians(angle))) for turn in (math.sin, math.cos))
    wide, high = width * along + height * across, width * across + height * along
    return [
        round(value, _DIGITS)
        for value in (left + (width - wide) / 2, top + (height - high) / 2, wide, high)
    ]


def clean_area(
    area: Any, box: list[float], clipped: bool, mask: list | dict | None = None
) -> int | float:
    """Return the area of an object in pixels.

    An annotation without an area gets that of its mask, or else of its box. An impossible area,
    such as a fraction of the image, is replaced by that of the box.

    Args:
        box: [left, top, width, height] in pixels.
        clipped: Whether clipping made the box smaller than the object.
        mask: A mask from :func:`clean_segmentation`.
    """
    area, of_box = number_of(area_of_mask(mask) if area is None and mask else area), box[2] * box[3]
    if area is None or area < 1 or (area > _MOST_OF_BOX * of_box and not clipped):
        return of_box
    return area


def clean_segmentation(segmentation: Any, width: int, height: int) -> list | dict | str:
    """Return the usable part of a mask, or the reason why there is none.

    This is polygons of three or more points, or run lengths. A single polygon without its outer
    list gets one. Polygons of four numbers are dropped, because pycocotools takes them for boxes.
    So are polygons with coordinates that are too large for pycocotools. :func:`box_of_mask` checks
    whether compressed run lengths are complete.

    Args:
        segmentation: polygons [[x, y, x, y, ...], ...] in pixels, or run lengths {'size': [height,
            width], 'counts': ...}.
        width, height: of the image in pixels.
    """
    if not segmentation:
        return NO_MASK
    if isinstance(segmentation, dict):
        return _clean_runs(segmentation, width, height)
    if not isinstance(segmentation, list | tuple):
        return OTHER_MASK
    if number_of(segmentation[0]) is not None:
        segmentation = [segmentation]
    polygons = [_numbers(polygon) for polygon in segmentation]
    most = max(width, height) + _FARTHEST
    faults = [_fault_of_polygon(polygon, most) for polygon in polygons]
    whole = [polygon for polygon, fault in zip(polygons, faults, strict=True) if fault is None]
    return whole or faults[0]


def _clean_runs(segmentation: dict, width: int, height: int) -> dict | str:
    counts, size = segmentation.get('counts'), _numbers(segmentation.get('size'))
    if size != [height, width]:
        return RUNS_OF_OTHER_SIZE
    if isinstance(counts, list | tuple):
        counts = _numbers(counts)
        counts = None if counts is None else list(map(int, counts))
        if counts is None or min(counts, default=0) < 0 or sum(counts) != height * width:
            return DAMAGED_RUNS
    elif not isinstance(counts, str) or not counts:
        return DAMAGED_RUNS
    return {**segmentation, 'counts': counts, 'size': [height, width]}


def _fault_of_polygon(polygon: list[int | float] | None, most: int) -> str | None:
    if polygon is None:
        return OTHER_MASK
    if len(polygon) % 2:
        return ODD_COORDINATES
    if len(polygon) < 6:
        return FEW_POINTS
    return None if min(polygon) >= -_FARTHEST and max(polygon) <= most else FAR_POINTS


def box_of_mask(mask: list | dict) -> list[float] | str:
    """Return the box [left, top, width, height], in pixels, of a mask from
    :func:`clean_segmentation`, or why there is none: no pixel in the mask, or damaged run
    lengths."""
    if isinstance(mask, list):
        across = [number for polygon in mask for number in polygon[::2]]
        down = [number for polygon in mask for number in polygon[1::2]]
        return [min(across), min(down), max(across) - min(across), max(down) - min(down)]
    height, width = mask['size']
    counts = mask['counts']
    runs = runs_of_text(counts) if isinstance(counts, str) else counts
    if sum(runs) != height * width:
        return DAMAGED_RUNS
    return box_of_runs(runs, height) or EMPTY_MASK


def area_of_mask(mask: list | dict) -> float:
    """Return the area in pixels of a mask from :func:`clean_segmentation`, which is COCO's
    ``area``; 0 for damaged run lengths."""
    if isinstance(mask, list):
        return sum(map(_area_of_polygon, mask))
    counts = mask['counts']
    return sum((runs_of_text(counts) if isinstance(counts, str) else counts)[1::2])


def _area_of_polygon(polygon: list[float]) -> float:
    """Return the area of a polygon [x, y, x, y, ...] (the shoelace formula)."""
    # Products of whole numbers of any length can exceed a float.
    across, down = list(map(float, polygon[::2])), list(map(float, polygon[1::2]))
    following = zip(across, down, [*across[1:], across[0]], [*down[1:], down[0]], strict=True)
    return abs(sum(x * next_y - next_x * y for x, y, next_x, next_y in following)) / 2


def overlap(box: list[float], other: list[float]) -> float:
    """Return the intersection over union of two boxes [left, top, width, height]."""
    sides = [
        min(box[axis] + box[axis + 2], other[axis] + other[axis + 2]) - max(box[axis], other[axis])
        for axis in (0, 1)
    ]
    common = max(sides[0], 0) * max(sides[1], 0)
    return common / (box[2] * box[3] + other[2] * other[3] - common)


def _numbers(values: Any) -> list[int | float] | None:
    """Return a list of numbers, possibly written as text; None for anything else."""
    if not isinstance(values, list | tuple):
        return None
    # Most numbers skip the function call: a file has millions.
    numbers = [
        value if type(value) is float and -_LARGEST <= value <= _LARGEST else number_of(value)
        for value in values
    ]
    return None if None in numbers else numbers
