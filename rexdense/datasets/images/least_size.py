"""Scaling that keeps each side of an image at one pixel or more.

mmcv rounds the sides of a scaled image, so a strip such as 3000 x 2 pixels gets a side of 0, and
OpenCV fails in the middle of a training or of the prediction of a folder.
"""

from mmcv.image import geometric
from mmcv.transforms import processing


def leave_a_pixel() -> None:
    """Make the functions and transforms of mmcv, and those of mmdet and mmseg based on them, keep
    each side at one pixel or more. The results for images that mmcv can scale do not change."""
    scaled = geometric._scale_size
    if getattr(scaled, 'leaves_a_pixel', False):
        return

    def at_least_one(*arguments, **settings) -> tuple[int, int]:
        width, height = scaled(*arguments, **settings)
        return max(width, 1), max(height, 1)

    at_least_one.leaves_a_pixel = True
    geometric._scale_size = processing._scale_size = at_least_one
