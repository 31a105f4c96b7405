"""The order of pixels in memory."""

import functools
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

_MOST_CHANNELS = 512
"""Most channels of an OpenCV image; it takes an array of more, such as a stack of masks, for a
volume."""


def in_order(image: np.ndarray) -> np.ndarray:
    """Return an image (height, width, ...) whose pixels are in order in memory.

    An image that is in order is returned itself. For a uint8 view that numpy has flipped left to
    right, as from mmcv's RandomFlip, OpenCV makes the copy in a tenth of numpy's time.
    """
    if image.flags.c_contiguous:
        return image
    if type(image) is not np.ndarray:
        return image.copy()  # of its own kind, such as a masked one
    turned = image[:, ::-1]
    if turned.flags.c_contiguous and _is_opencv_image(image):
        return cv2.flip(turned, 1).reshape(image.shape)
    return np.ascontiguousarray(image)


def _is_opencv_image(image: np.ndarray) -> bool:
    channels = image.shape[2] if image.ndim == 3 else 1
    is_plane = image.ndim <= 3 and channels <= _MOST_CHANNELS
    return is_plane and image.size > 0 and image.dtype == np.uint8


def leave_in_order() -> None:
    """Make all transforms based on mmcv's, including a user's own, return images with positive
    strides.

    RandomFlip and others return numpy views with negative strides. OpenCV cannot write into these
    and torch does not accept them, so a later step such as mmdet's YOLOXHSVRandomAug fails.
    """
    transformed = BaseTransform.__call__
    if getattr(transformed, 'leaves_in_order', False):
        return

    @functools.wraps(transformed)
    def in_order_too(self: BaseTransform, results: dict) -> Any:
        made = transformed(self, results)
        for key, value in made.items() if isinstance(made, dict) else ():
            if isinstance(value, np.ndarray) and value.ndim > 1 and min(value.strides) < 0:
                made[key] = in_order(value)
        return made

    in_order_too.leaves_in_order = True
    BaseTransform.__call__ = in_order_too
