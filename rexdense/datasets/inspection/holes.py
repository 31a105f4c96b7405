"""Masks whose polygons lie inside one another."""

from collections.abc import Sequence
from itertools import permutations
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
        if any(_inside(*pair) for pair in permutations(entry['segmentation'], 2))
    ]


def _inside(polygon: Sequence[float], other: Sequence[float]) -> bool:
    """Whether all points of a polygon [x, y, x, y, ...] lie inside another one: a ray from such a
    point crosses an odd number of its sides."""
    x, y = np.array(polygon, np.float64).reshape(-1, 2).T[:, :, None]
    corners = np.array(other, np.float64).reshape(-1, 2)
    if (corners.min(0) >= (x.min(), y.min())).any() or (corners.max(0) <= (x.max(), y.max())).any():
        return False
    across, down = corners.T
    next_across, next_down = np.roll(corners, -1, 0).T
    crosses = (down > y) != (next_down > y)
    with np.errstate(divide='ignore', invalid='ignore'):
        at = across + (y - down) / (next_down - down) * (next_across - across)
    return bool(((crosses & (x < at)).sum(1) % 2 == 1).all())
