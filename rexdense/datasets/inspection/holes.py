"""Masks whose polygons lie inside one another."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np


def with_inner_polygons(annotations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the annotations with a polygon inside another one of the same mask.

    Some tools mean it as a hole. In COCO's form a mask is all that its polygons cover, and only run
    lengths have holes.
    """
    return [
        entry
        for entry in annotations
        if isinstance(entry.get('segmentation'), list) and len(entry['segmentation']) > 1
        if any(_inside(*pair) for pair in _nested(entry['segmentation']))
    ]


def _nested(polygons: Sequence[Sequence[float]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the pairs of polygons (points, 2) of which the box of the first lies inside that of the
    second."""
    corners = [np.array(polygon, np.float64).reshape(-1, 2) for polygon in polygons]
    low = np.array([each.min(0) for each in corners])
    high = np.array([each.max(0) for each in corners])
    within = ((low[:, None] > low) & (high[:, None] < high)).all(-1)
    for inner, outer in np.argwhere(within):
        yield corners[inner], corners[outer]


def _inside(points: np.ndarray, corners: np.ndarray) -> bool:
    """Whether all points (N, 2) lie inside the polygon of some corners (M, 2): a ray from such a
    point crosses an odd number of its sides."""
    x, y = points.T[:, :, None]
    across, down = corners.T
    next_across, next_down = np.roll(corners, -1, 0).T
    crosses = (down > y) != (next_down > y)
    with np.errstate(divide='ignore', invalid='ignore'):
        at = across + (y - down) / (next_down - down) * (next_across - across)
    return bool(((crosses & (x < at)).sum(1) % 2 == 1).all())
