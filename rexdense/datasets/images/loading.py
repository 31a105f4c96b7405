"""Loading of images as 8-bit colour."""

import logging
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.logging import print_log

from rexdense.arch.checks import is_integer
from rexdense.datasets.images.content import read_content
from rexdense.datasets.images.files import ImageError, decode_image
from rexdense.datasets.images.least_size import leave_a_pixel
from rexdense.datasets.images.memory import leave_in_order
from rexdense.datasets.images.orientation import orientation_of, turned_upright
from rexdense.datasets.images.sizes import wrong_image_size
from rexdense.datasets.images.tiff_directory import TIFF_START
from rexdense.errors import InvalidArgument
from rexdense.registry import TRANSFORMS

# Every pipeline of rexdense begins with an image.
leave_a_pixel()
leave_in_order()


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """Read the image at ``img_path`` as uint8, height x width x 3, channels blue, green, red.

    The pixels are those of mmcv's ``LoadImageFromFile``, with these additions:

    - An image with an orientation tag (EXIF or TIFF) is made upright, as in image viewers. If the
      annotated ``width`` and ``height`` are only those of the stored image, it stays as stored.
    - 16-bit values are scaled linearly; ``2 ** bit_depth - 1`` becomes 255.
    - Grey images get three equal channels. Alpha is dropped, as in mmcv, unless a ``background`` is
      given.

    Required keys: ``img_path``, or the keys of an image in an archive, see
    :func:`~rexdense.datasets.images.content.read_content`; ``width`` and ``height`` to check the
    size. Added keys: ``img``, ``img_shape``, ``ori_shape``, the latter two (height, width).

    Args:
        bit_depth: number of bits used by 16-bit files, 9 to 16; microscopes and infra-red cameras
            often use 12.
        to_float32: whether the pixels are returned as float32 (0 to 255) instead of uint8.
        backend_args: arguments of mmengine's file backends, for images that are not on a disk.
        background: grey value, 0 (black) to 255 (white), behind transparent PNG and WebP images;
            None drops alpha and keeps the colours of transparent pixels.
    """

    def __init__(
        self,
        bit_depth: int = 16,
        to_float32: bool = False,
        backend_args: dict | None = None,
        background: int | None = None,
    ) -> None:
        super().__init__(to_float32=to_float32, backend_args=backend_args)
        if not isinstance(bit_depth, int) or not 9 <= bit_depth <= 16:
            raise InvalidArgument(f'bit_depth={bit_depth!r}: give a whole number from 9 to 16')
        if background is not None and not (is_integer(background) and 0 <= background <= 255):
            raise InvalidArgument(
                f'background={background!r}: give 0 (black) to 255 (white), or None'
            )
        self.bit_depth, self.background = bit_depth, background
        self._brightest = self._told_bits = 0

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the image to ``results``.

        Raises:
            UnreadableImage: the file is missing, damaged or of another kind of number.
            ImageError: its size differs from the annotation.
        """
        path = results['img_path']
        content = read_content(results, self.backend_args)
        stored = decode_image(content, path)
        size = (results['height'], results['width']) if 'height' in results else None
        image = _oriented(stored, orientation_of(content), size, path)
        # OpenCV has blended TIFF files with black already.
        background = None if content.startswith(TIFF_START) else self.background
        image = self.to_colour(image, path, background)
        results['img'] = image.astype(np.float32) if self.to_float32 else image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def to_colour(self, image: np.ndarray, path: str, background: int | None = None) -> np.ndarray:
        """Return a decoded image as uint8, height x width x 3, channels blue, green, red; one with
        alpha is blended with the background, if there is one."""
        if image.dtype == np.uint16:
            full = 2**self.bit_depth - 1
            self._check_depth(int(image.max()), path)
            image = np.minimum(np.rint(image * np.float32(255 / full)), 255).astype(np.uint8)
        if image.ndim == 2:
            return cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_GRAY2BGR)
        if image.shape[2] == 4 and background is not None:
            image = _over(image, background)
        return np.ascontiguousarray(image[..., :3])

    def _check_depth(self, brightest: int, path: str) -> None:
        """Warn of an image, the brightest so far, that becomes nearly black or overexposed; after
        that, of each one that uses more bits."""
        if brightest <= self._brightest:
            return
        self._brightest = brightest
        bits = max(9, brightest.bit_length())
        # Three bits less, as of a camera of 12 bits at 16, are an eighth of the brightness.
        fits = self.bit_depth - 3 < bits <= self.bit_depth
        if bits == self._told_bits or (fits and not self._told_bits):
            return
        said = f'image {path} has 16-bit values up to {brightest}'
        if self._told_bits:
            said += f', more than those before: bit_depth={bits} fits all of them'
        else:
            said += (
                f', with bit_depth={self.bit_depth} and so {2**self.bit_depth - 1} for white; '
                f'bit_depth={bits} would fit it'
            )
        print_log(said, logger='current', level=logging.WARNING)
        self._told_bits = bits

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(bit_depth={self.bit_depth}, to_float32={self.to_float32}, '
            f'backend_args={self.backend_args}, background={self.background})'
        )


def _over(image: np.ndarray, background: int) -> np.ndarray:
    """Return an image (height, width, 4), uint8, blended with a plain background."""
    alpha = image[..., 3:].astype(np.uint16)
    seen = image[..., :3] * alpha + background * (255 - alpha)
    return ((seen + 127) // 255).astype(np.uint8)


def _oriented(
    stored: np.ndarray, orientation: int, size: tuple[int, int] | None, path: str
) -> np.ndarray:
    """Return the image in the orientation that has the annotated (height, width)."""
    upright = turned_upright(stored, orientation)
    for image in (upright, stored):
        if size is None or image.shape[:2] == tuple(size):
            return image
    raise ImageError(wrong_image_size(path, stored.shape[:2], size))
