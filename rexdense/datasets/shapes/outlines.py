"""Outlines of the classes of Shapes, and their pixels.

The same seed must give the same pixels on every machine. So this package computes with integers, or
element by element with the operations that IEEE 754 rounds correctly (+, -, *, / and comparisons of
float64). It avoids sums of floats, whose order depends on the library, and functions such as
``np.sin``, whose last bit varies.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

SUBSAMPLES = 4
"""Sample points along each side of a pixel."""


def direction(degrees: int) -> tuple[float, float]:
    """Return the cosine and sine of an angle in whole degrees, rounded to 20 bits.

    The rounding removes the last bit, in which the C libraries differ.
    """
    scale = 1 << 20
    radians = math.radians(degrees)
    return round(math.cos(radians) * scale) / scale, round(math.sin(radians) * scale) / scale


def _circle(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return u * u + v * v <= 1


def _square(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(u), np.abs(v)) <= 0.85


def _triangle(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return (v <= 0.9) & (2 * np.abs(u) <= v + 1)


def _star(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    # Five lines, each through two of five tips on the unit circle, form a five-pointed star: a
    # point inside is beyond at most one of them. Their exact distance from the centre is 0.31; with
    # a larger one the arms are visible at 16 pixels.
    beyond = np.zeros(u.shape, np.int64)
    for degrees in (90, 162, 234, 306, 18):
        cosine, sine = direction(degrees)
        beyond += cosine * u + sine * v > 0.4
    return (beyond <= 1) & _circle(u, v)


def _ring(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    squared_radius = u * u + v * v
    return (squared_radius <= 1) & (squared_radius >= 0.3)


def _cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    across, along = np.abs(u), np.abs(v)
    return (np.maximum(across, along) <= 1) & (np.minimum(across, along) <= 0.3)


OUTLINES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    'circle': _circle,
    'square': _square,
    'triangle': _triangle,
    'star': _star,
    'ring': _ring,
    'cross': _cross,
}
"""For each class, whether points (u, v) are inside. The outlines fill most of a frame from -1 to
1."""

SHAPE_CLASSES = tuple(OUTLINES)

OUTLINE_REACH = 1.32
"""Greatest distance of a point of any outline from the centre of its frame."""


class Raster(NamedTuple):
    """An outline as pixels of an image.

    Attributes:
        rows, columns: the window of the image that holds the outline.
        coverage: sample points inside the outline, 0 to ``SUBSAMPLES ** 2``, for each pixel of
            the window, (window height, window width).
    """

    rows: slice
    columns: slice
    coverage: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """The window's pixels of which the outline covers at least half."""
        return 2 * self.coverage >= SUBSAMPLES**2


@dataclasses.dataclass(frozen=True)
class Outline:
    """The outline of a class, stretched to a frame, rotated and placed; all lengths in pixels.

    Attributes:
        center_x, center_y: the frame's centre; pixel (row 0, column 0) covers 0 to 1 in x and in y.
        half_width, half_height: half the frame's sides, before the rotation.
        degrees: the frame's rotation, clockwise in the image.
    """

    class_index: int
    center_x: float
    center_y: float
    half_width: float
    half_height: float
    degrees: int

    def rasterize(self, height: int, width: int) -> Raster:
        """Return the outline as pixels of an image, cut off at the edges of the image."""
        cosine, sine = direction(self.degrees)
        reach_x = abs(cosine) * self.half_width + abs(sine) * self.half_height
        reach_y = abs(sine) * self.half_width + abs(cosine) * self.half_height
        left, right = _pixel_range(self.center_x, reach_x, width)
        top, bottom = _pixel_range(self.center_y, reach_y, height)
        x = (np.arange(left * SUBSAMPLES, right * SUBSAMPLES) + 0.5) / SUBSAMPLES - self.center_x
        y = (np.arange(top * SUBSAMPLES, bottom * SUBSAMPLES) + 0.5) / SUBSAMPLES - self.center_y
        u = (cosine * x[None, :] + sine * y[:, None]) / self.half_width
        v = (cosine * y[:, None] - sine * x[None, :]) / self.half_height
        inside = OUTLINES[SHAPE_CLASSES[self.class_index]](u, v)
        samples = inside.reshape(bottom - top, SUBSAMPLES, right - left, SUBSAMPLES)
        return Raster(
            slice(top, bottom), slice(left, right), samples.sum(axis=(1, 3), dtype=np.int64)
        )


def _pixel_range(center: float, reach: float, limit: int) -> tuple[int, int]:
    first = min(max(math.floor(center - reach), 0), limit)
    return first, max(min(math.ceil(center + reach), limit), first)
