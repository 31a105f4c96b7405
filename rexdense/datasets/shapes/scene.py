"""A Shapes picture and its ground truth: objects, visible masks, depth."""

from typing import NamedTuple

import numpy as np

from rexdense.datasets.shapes.outlines import (
    OUTLINE_REACH,
    SHAPE_CLASSES,
    SUBSAMPLES,
    Outline,
    Raster,
)
from rexdense.datasets.shapes.textures import contrasting_color, fill, ground, ground_depth

SPLITS = ('train', 'val')
CROP_SIZE = 64
"""Height and width of a crop, in pixels."""
UNITS_PER_METRE = 1000
"""Depth maps count millimetres."""

FEWEST_OBJECTS, MOST_OBJECTS = 3, 6
"""Number of objects placed in a picture; hidden ones are removed afterwards."""
SMALLEST_FRAME, LARGEST_FRAME = 16, 0.6
"""Longer side of an object: least pixels, and largest share of the shorter image side."""
LEAST_VISIBLE_PIXELS, LEAST_VISIBLE_SHARE = 24, 0.5
"""Least visible part of an object: pixels, and share of it."""


class Scene(NamedTuple):
    """One drawn picture and its ground truth.

    Attributes:
        image: red, green, blue, (height, width, 3) of uint8.
        instances: the object seen at each pixel, counted from 1 in drawing order, 0 for the
            ground, (height, width) of uint8.
        class_indices: the class of each object, in drawing order: an index into ``SHAPE_CLASSES``.
        depth: depth in millimetres, (height, width) of uint16.
    """

    image: np.ndarray
    instances: np.ndarray
    class_indices: tuple[int, ...]
    depth: np.ndarray

    @property
    def semantic(self) -> np.ndarray:
        """The label map: 0 for the ground, class index + 1 for objects, (height, width), uint8."""
        return np.array([0, *(index + 1 for index in self.class_indices)], np.uint8)[self.instances]


def draw_scene(seed: int, split: str, index: int, height: int = 160, width: int = 160) -> Scene:
    """Draw picture ``index`` of a split: objects standing on a ground that recedes to the top.

    Like upright boards on a floor, objects stand where their lowest row meets the ground. This
    determines their depth, and the farther ones are drawn first. Objects of which nearer ones leave
    too little visible (``LEAST_VISIBLE_PIXELS``, ``LEAST_VISIBLE_SHARE``) are left out.
    """
    rng = _generator(seed, split, index, stream=0)
    image, colors = ground(rng, height, width)
    depth_of_row = ground_depth(np.arange(height) + 0.5, height) * UNITS_PER_METRE
    depth_of_row = np.floor(depth_of_row + 0.5).astype(np.int64)
    depth = np.repeat(depth_of_row[:, None], width, axis=1)
    instances = np.zeros((height, width), np.uint8)

    count = int(rng.integers(FEWEST_OBJECTS, MOST_OBJECTS + 1))
    outlines = [_random_outline(rng, height, width) for _ in range(count)]
    objects = _visible_objects(outlines, height, width)
    for number, (_, raster) in enumerate(objects, start=1):
        colors.append(contrasting_color(rng, colors))
        _paint(rng, image, raster, colors[-1])
        instances[raster.rows, raster.columns][raster.mask] = number
        # One millimetre per place in the drawing order separates objects that stand on the same
        # row.
        depth[raster.rows, raster.columns][raster.mask] = depth_of_row[_lowest_row(raster)] - number
    class_indices = tuple(outline.class_index for outline, _ in objects)
    return Scene(_to_pixels(rng, image), instances, class_indices, depth.astype(np.uint16))


def draw_crop(seed: int, split: str, class_name: str, index: int) -> np.ndarray:
    """Draw crop ``index`` of a class in a split: one complete object on a separate ground.

    Returns:
        Red, green, blue, (64, 64, 3) of uint8.
    """
    class_index = SHAPE_CLASSES.index(class_name)
    rng = _generator(seed, split, index, stream=class_index + 1)
    image, colors = ground(rng, CROP_SIZE, CROP_SIZE)
    frame = CROP_SIZE * (0.35 + 0.4 * rng.random())
    outline = _place(rng, class_index, frame, CROP_SIZE, CROP_SIZE, inside=OUTLINE_REACH / 2)
    _paint(rng, image, outline.rasterize(CROP_SIZE, CROP_SIZE), contrasting_color(rng, colors))
    return _to_pixels(rng, image)


def _generator(seed: int, split: str, index: int, stream: int) -> np.random.Generator:
    """Return the generator of one picture (stream 0) or crop, independent of earlier draws."""
    return np.random.Generator(np.random.PCG64([seed, stream, SPLITS.index(split), index]))


def _random_outline(rng: np.random.Generator, height: int, width: int) -> Outline:
    class_index = int(rng.integers(0, len(SHAPE_CLASSES)))
    largest = LARGEST_FRAME * min(height, width)
    share = rng.random()
    # The square makes small frames more frequent than large ones.
    frame = SMALLEST_FRAME + (largest - SMALLEST_FRAME) * share * share
    return _place(rng, class_index, frame, height, width, inside=0.4)


def _place(
    rng: np.random.Generator, class_index: int, frame: float, height: int, width: int, inside: float
) -> Outline:
    """Return an outline with random place, rotation and proportion.

    Args:
        frame: the longer side of its frame, in pixels.
        inside: least distance of its centre from the edges of the image, as a share of ``frame``.
    """
    half_sides = [frame / 2, frame / 2 * (0.7 + 0.3 * rng.random())]
    if rng.random() < 0.5:
        half_sides.reverse()
    margin = inside * frame
    center_x = margin + (width - 2 * margin) * rng.random()
    center_y = margin + (height - 2 * margin) * rng.random()
    return Outline(class_index, center_x, center_y, *half_sides, int(rng.integers(0, 360)))


def _lowest_row(raster: Raster) -> int:
    return raster.rows.start + int(np.flatnonzero(raster.mask.any(axis=1))[-1])


def _visible_objects(
    outlines: list[Outline], height: int, width: int
) -> list[tuple[Outline, Raster]]:
    """Return the objects of which enough is visible, from the farthest to the nearest.

    The nearest is decided first, because leaving out a farther one does not affect nearer ones.
    """
    objects = [(outline, outline.rasterize(height, width)) for outline in outlines]
    taken = np.zeros((height, width), bool)
    kept = []
    for outline, raster in sorted(objects, key=lambda item: _lowest_row(item[1]), reverse=True):
        hidden = taken[raster.rows, raster.columns]
        visible = int((raster.mask & ~hidden).sum())
        if visible >= max(LEAST_VISIBLE_PIXELS, LEAST_VISIBLE_SHARE * int(raster.mask.sum())):
            kept.append((outline, raster))
            taken[raster.rows, raster.columns] |= raster.mask
    return kept[::-1]


def _paint(rng: np.random.Generator, image: np.ndarray, raster: Raster, color: np.ndarray) -> None:
    """Draw an object on ``image``, in place; partly covered pixels are mixed."""
    window = image[raster.rows, raster.columns]
    opacity = raster.coverage[:, :, None] / SUBSAMPLES**2
    window += (fill(rng, *window.shape[:2], color) - window) * opacity


def _to_pixels(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Return integers 0 to 255, with the noise of a sensor."""
    noisy = np.floor(image + 0.5).astype(np.int64) + rng.integers(-6, 7, image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)
