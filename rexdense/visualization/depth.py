"""Depth maps in colour, near bright and far dark, with a scale in metres."""

from collections.abc import Sequence

import cv2
import numpy as np

from rexdense.visualization.tiles import text_size, write_text

MILLIMETRES = 1000
MOST_MILLIMETRES = 65535

_COLOURS = cv2.COLORMAP_VIRIDIS
# Viridis ends in dark violet, so black can stand for no depth.
_NO_DEPTH = (0, 0, 0)
_MARKS = 5
_BAR_HEIGHT = 12
_STRIP_HEIGHT = 44


def is_depth(depth: np.ndarray) -> np.ndarray:
    """Return a mask of the valid depths of a map: 0, negative numbers, infinity and NaN are
    invalid."""
    return np.isfinite(depth) & (depth > 0)


def depth_range(depths: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the nearest and the farthest depth of maps in metres; (0, 1) if there is no depth.

    A hundredth is cut off at each end, so that single pixels do not dominate the colours.
    """
    values = np.concatenate([depth[is_depth(depth)] for depth in depths])
    if not values.size:
        return 0.0, 1.0
    nearest, farthest = (float(value) for value in np.percentile(values, (1, 99)))
    return nearest, max(farthest, nearest + 1e-3)


def colour_depth(depth: np.ndarray, nearest: float, farthest: float) -> np.ndarray:
    """Return a depth map (H, W) in metres as an RGB picture (H, W, 3), uint8; black is no depth."""
    valid = is_depth(depth)
    share = (farthest - np.where(valid, depth, farthest)) / (farthest - nearest)
    levels = np.rint(share.clip(0, 1) * 255).astype(np.uint8)
    picture = cv2.applyColorMap(levels, _COLOURS)[..., ::-1].copy()
    picture[~valid] = _NO_DEPTH
    return picture


def depth_scale(nearest: float, farthest: float, width: int) -> np.ndarray:
    """Return a strip (H, width, 3), uint8, RGB, with the colours of the depths above values in
    metres."""
    strip = np.full((_STRIP_HEIGHT, width, 3), 255, np.uint8)
    left, right = 4, max(width - 12, 6)
    depths = np.linspace(nearest, farthest, right - left, dtype=np.float32)
    # The nearest depth may be 0, which means no depth in a map.
    bar = colour_depth(np.maximum(depths, np.finfo(np.float32).tiny)[None], nearest, farthest)
    strip[6 : 6 + _BAR_HEIGHT, left:right] = bar
    marks = _MARKS if width >= 300 else 2
    digits = max(0, 2 - int(np.floor(np.log10(max(farthest, 1e-3)))))
    for place, value in enumerate(np.linspace(nearest, farthest, marks)):
        text = f'{value:.{digits}f} m'
        text_width = text_size(text, 0.42)[0]
        position = left + round(place * (right - left - 1) / (marks - 1))
        cv2.line(strip, (position, 18), (position, 22), (40, 40, 40), 1)
        start = min(max(position - text_width // 2, 2), max(width - text_width - 2, 0))
        write_text(strip, text, start, 36, 0.42)
    return strip


def depth_in_millimetres(depth: np.ndarray) -> tuple[np.ndarray, int]:
    """Return a depth map in metres as whole millimetres, uint16, with 0 for no depth; and the
    number of depths that were clipped to the 16-bit maximum, 65.535 m."""
    valid = is_depth(depth)
    millimetres = np.rint(np.where(valid, depth, 0).astype(np.float64) * MILLIMETRES)
    beyond = int((millimetres > MOST_MILLIMETRES).sum())
    return millimetres.clip(0, MOST_MILLIMETRES).astype(np.uint16), beyond
