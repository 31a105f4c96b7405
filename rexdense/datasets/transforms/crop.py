"""The crops of ImageNet recipes for training and evaluation."""

import math
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from rexdense.arch.checks import is_integer
from rexdense.errors import InvalidArgument
from rexdense.registry import TRANSFORMS

INTERPOLATIONS = {
    'bilinear': cv2.INTER_LINEAR,
    'bicubic': cv2.INTER_CUBIC,
    'area': cv2.INTER_AREA,
}
RANDOM = 'random'
"""Bilinear or bicubic, drawn for each image, as timm trains by default."""

TRIES = 10
"""Boxes that are drawn before the fallback, as in torchvision and timm."""


def _interpolation(name: str) -> int:
    if name == RANDOM:
        name = ('bilinear', 'bicubic')[np.random.randint(2)]
    return INTERPOLATIONS[name]


def _require(size: int, interpolation: str) -> None:
    if not is_integer(size) or size < 1:
        raise InvalidArgument(f'size={size!r}: give the side in pixels, a whole number above 0')
    if interpolation not in (*INTERPOLATIONS, RANDOM):
        raise InvalidArgument(
            f'interpolation={interpolation!r}: give one of {", ".join(INTERPOLATIONS)}, {RANDOM}'
        )


def _resize(image: np.ndarray, width: int, height: int, interpolation: int) -> np.ndarray:
    """Return the image resized. If it shrinks to less than half, areas are averaged, because
    OpenCV's filters use only the nearest pixels and would alias."""
    if image.shape[0] > 2 * height and image.shape[1] > 2 * width:
        interpolation = cv2.INTER_AREA
    return cv2.resize(image, (width, height), interpolation=interpolation)


@TRANSFORMS.register_module()
class RandomResizedCrop(BaseTransform):
    """Crop a box of random area and aspect ratio and resize it to a square.

    The box is drawn as in torchvision and timm (Szegedy et al. 2015): area uniform in ``area``
    times the image's, ratio log-uniform, up to 10 tries to find one that fits. Otherwise it is the
    largest central box with an allowed ratio.

    Required and changed keys: ``img``; added: ``img_shape``.

    Args:
        size: Side of the result in pixels.
        area: Smallest and largest share of the image's area.
        ratio: Smallest and largest width / height.
        interpolation: 'bilinear', 'bicubic', 'area', or 'random' for one of the first two.
    """

    def __init__(
        self,
        size: int,
        area: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        interpolation: str = 'bicubic',
    ) -> None:
        _require(size, interpolation)
        for name, (low, high), limit in (('area', area, 1.0), ('ratio', ratio, math.inf)):
            if not 0 < low <= high <= limit:
                raise InvalidArgument(f'{name}={(low, high)}: give two numbers above 0, in order')
        self.size, self.area, self.ratio = size, area, ratio
        self.interpolation = interpolation

    def draw_box(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Return (left, top, width, height) of a crop, in pixels."""
        for _ in range(TRIES):
            target = height * width * np.random.uniform(*self.area)
            ratio = math.exp(np.random.uniform(*np.log(self.ratio)))
            box_width = round(math.sqrt(target * ratio))
            box_height = round(math.sqrt(target / ratio))
            if 0 < box_width <= width and 0 < box_height <= height:
                left = np.random.randint(width - box_width + 1)
                top = np.random.randint(height - box_height + 1)
                return left, top, box_width, box_height
        ratio = min(max(width / height, self.ratio[0]), self.ratio[1])
        box_width = max(1, min(width, round(height * ratio)))
        box_height = max(1, min(height, round(width / ratio)))
        return (width - box_width) // 2, (height - box_height) // 2, box_width, box_height

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace the image by a crop."""
        return self.cut(results, results['img'], self.draw_box(*results['img'].shape[:2]))

    def cut(
        self, results: dict[str, Any], image: np.ndarray, box: tuple[int, int, int, int]
    ) -> dict[str, Any]:
        """Set the image of ``results`` to the content of a box (left, top, width, height)."""
        left, top, width, height = box
        crop = image[top : top + height, left : left + width]
        results['img'] = _resize(crop, self.size, self.size, _interpolation(self.interpolation))
        results['img_shape'] = (self.size, self.size)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(size={self.size}, area={self.area}, ratio={self.ratio}, '
            f'interpolation={self.interpolation!r})'
        )


@TRANSFORMS.register_module()
class ResizeCenterCrop(BaseTransform):
    """Resize the shorter side to ``size / crop`` pixels and cut out the central square.

    Required and changed keys: ``img``; added: ``img_shape``.

    Args:
        size: Side of the result in pixels.
        crop: The share of the shorter side that is kept, such as 0.875; 1 keeps all of it.
        interpolation: 'bilinear', 'bicubic' or 'area'.
    """

    def __init__(self, size: int, crop: float = 0.875, interpolation: str = 'bicubic') -> None:
        _require(size, interpolation)
        if not 0 < crop <= 1:
            raise InvalidArgument(f'crop={crop!r}: give a share above 0, at most 1')
        self.size, self.crop, self.interpolation = size, crop, interpolation

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace the image by its central square."""
        image = results['img']
        height, width = image.shape[:2]
        # Rounded down, as timm does (timm/data/transforms_factory.py).
        edge = math.floor(self.size / self.crop)
        scale = edge / min(height, width)
        width, height = max(edge, round(width * scale)), max(edge, round(height * scale))
        image = _resize(image, width, height, _interpolation(self.interpolation))
        left, top = round((width - self.size) / 2), round((height - self.size) / 2)
        results['img'] = image[top : top + self.size, left : left + self.size]
        results['img_shape'] = (self.size, self.size)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(size={self.size}, crop={self.crop}, '
            f'interpolation={self.interpolation!r})'
        )
