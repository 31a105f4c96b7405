"""Random erasing, colour jitter and lighting noise."""

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from rexdense.arch.checks import require_not_negative, require_ratio
from rexdense.datasets.images.memory import in_order
from rexdense.errors import InvalidArgument
from rexdense.registry import TRANSFORMS

# ImageNet's values on the scale 0 to 255, in the order blue, green, red.
IMAGENET_MEAN = (103.53, 116.28, 123.675)
IMAGENET_STD = (57.375, 57.12, 58.395)


@TRANSFORMS.register_module()
class RandomErasing(BaseTransform):
    """Erase a rectangle of an image (Zhong et al. 2020), drawn as in timm.

    Required and changed keys: ``img``, uint8, blue, green, red.

    Args:
        probability: Share of images in which a rectangle is erased.
        mode: 'pixel' fills it with normal noise per pixel with ``mean`` and ``std``; 'const' fills
            it with ``mean``. After normalisation these are timm's standard normal noise, except
            that values below 0 or above 255 are clipped, and 0.
        area: Smallest and largest share of the image.
        ratio: Smallest height / width; the largest is its inverse.
        mean: Mean for blue, green, red.
        std: Standard deviation for blue, green, red.

    Raises:
        InvalidArgument: an argument is out of range.
    """

    def __init__(
        self,
        probability: float = 0.2,
        mode: str = 'pixel',
        area: tuple[float, float] = (0.02, 1 / 3),
        ratio: float = 0.3,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        require_ratio('probability', probability)
        if mode not in ('pixel', 'const'):
            raise InvalidArgument(f'mode={mode!r}: give pixel or const')
        if not 0 < area[0] <= area[1] <= 1 or not 0 < ratio <= 1:
            raise InvalidArgument(
                f'area={area}, ratio={ratio}: give two shares in order, and a ratio up to 1'
            )
        self.probability, self.mode, self.area, self.ratio = probability, mode, area, ratio
        self.mean = np.asarray(mean, np.float32)
        self.std = np.asarray(std, np.float32)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Erase a rectangle, or leave the image as it is."""
        if np.random.rand() >= self.probability:
            return results
        height, width = results['img'].shape[:2]
        for _ in range(10):
            target = np.random.uniform(*self.area) * height * width
            ratio = math.exp(np.random.uniform(math.log(self.ratio), -math.log(self.ratio)))
            rows, columns = round(math.sqrt(target * ratio)), round(math.sqrt(target / ratio))
            if rows < height and columns < width:
                top = np.random.randint(height - rows + 1)
                left = np.random.randint(width - columns + 1)
                image = in_order(results['img']).copy()
                image[top : top + rows, left : left + columns] = self._filling(rows, columns)
                results['img'] = image
                break
        return results

    def _filling(self, rows: int, columns: int) -> np.ndarray:
        if self.mode == 'const':
            return np.rint(self.mean).astype(np.uint8)
        noise = np.random.standard_normal((rows, columns, 3)).astype(np.float32)
        return np.clip(np.rint(self.mean + self.std * noise), 0, 255).astype(np.uint8)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(probability={self.probability}, mode={self.mode!r})'


@TRANSFORMS.register_module()
class ColorJitter(BaseTransform):
    """Change brightness, contrast and saturation by random factors, in random order.

    The factors are uniform in ``1 - x`` to ``1 + x`` (torchvision's ColorJitter, which timm uses).

    Required and changed keys: ``img``, uint8, blue, green, red.

    Args:
        brightness, contrast, saturation: Greatest change x, 0 to 1.
    """

    def __init__(
        self, brightness: float = 0.4, contrast: float = 0.4, saturation: float = 0.4
    ) -> None:
        for name, value in dict(
            brightness=brightness, contrast=contrast, saturation=saturation
        ).items():
            require_ratio(name, value)
        self.brightness, self.contrast, self.saturation = brightness, contrast, saturation

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change the colours."""
        image = in_order(results['img'])
        for place in np.random.permutation(3):
            name = ('brightness', 'contrast', 'saturation')[place]
            most = getattr(self, name)
            if most:
                image = adjust(image, name, np.random.uniform(1 - most, 1 + most))
        results['img'] = image
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(brightness={self.brightness}, contrast={self.contrast}, '
            f'saturation={self.saturation})'
        )


def adjust(image: np.ndarray, what: str, factor: float) -> np.ndarray:
    """Blend an image (height, width, 3), uint8, with black, its mean grey or its grey version."""
    if what == 'brightness':
        return cv2.convertScaleAbs(image, alpha=factor)
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    if what == 'contrast':
        values = (1 - factor) * round(float(grey.mean())) + factor * np.arange(256)
        return cv2.LUT(image, np.clip(np.rint(values), 0, 255).astype(np.uint8))
    greys = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    return cv2.addWeighted(image, factor, greys, 1 - factor, 0)


@TRANSFORMS.register_module()
class Lighting(BaseTransform):
    """Shift the colour along the principal components of ImageNet's pixels (Krizhevsky et al. 2012,
    section 4.1; eigenvalues and vectors of pycls ``datasets/imagenet.py``).

    Required and changed keys: ``img``, uint8, blue, green, red.

    Args:
        std: Standard deviation of the shift along each component, in units of its eigenvalue.
    """

    EIGENVALUES = np.array([0.2175, 0.0188, 0.0045]) * 255
    # Rows are red, green, blue.
    EIGENVECTORS = np.array(
        [
            [-0.5675, 0.7192, 0.4009],
            [-0.5808, -0.0045, -0.8140],
            [-0.5836, -0.6948, 0.4203],
        ]
    )

    def __init__(self, std: float = 0.1) -> None:
        require_not_negative('std', std)
        self.std = std

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Shift the colour of the image."""
        shift = self.EIGENVECTORS @ (np.random.normal(0, self.std, 3) * self.EIGENVALUES)
        tables = np.arange(256)[:, None] + shift[::-1]
        tables = np.clip(np.rint(tables), 0, 255).astype(np.uint8).reshape(256, 1, 3)
        results['img'] = cv2.LUT(results['img'], tables)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(std={self.std})'
