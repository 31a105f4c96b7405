"""Scaling that leaves each side of an image a pixel at least.

mmcv rounds the sides of a scaled image, so a strip such as 3000 x 2 pixels gets a side of none, and
OpenCV fails in the middle of a training or of a folder's prediction.
"""

from mmcv.image import geometric
from mmcv.transforms import processing


def leave_a_pixel() -> None:
    """Make mmcv's functions and transforms, and those of mmdet and mmseg that rest on them, leave
    each side a pixel. Images that mmcv can scale come out as before."""
    scaled = geometric._scale_size
    if getattr(scaled, 'leaves_a_pixel', False):
        return

    def at_least_one(*arguments, **settings) -> tuple[int, int]:
        width, height = scaled(*arguments, **settings)
        return max(width, 1), max(height, 1)

    at_least_one.leaves_a_pixel = True
    geometric._scale_size = processing._scale_size = at_least_one
