"""The Shapes data set: pictures of simple shapes, drawn from a seed, with labels for every task."""

from rexdense.datasets.shapes.outlines import SHAPE_CLASSES
from rexdense.datasets.shapes.scene import (
    CROP_SIZE,
    SPLITS,
    UNITS_PER_METRE,
    Scene,
    draw_crop,
    draw_scene,
)
from rexdense.datasets.shapes.writing import make_shapes

__all__ = [
    'CROP_SIZE',
    'SHAPE_CLASSES',
    'SPLITS',
    'UNITS_PER_METRE',
    'Scene',
    'draw_crop',
    'draw_scene',
    'make_shapes',
]
