"""Reading and cropping an image in one step, decoding no more detail than the crop needs."""

import io
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from rexdense.datasets.images.content import read_content
from rexdense.datasets.images.files import decode_image
from rexdense.datasets.images.headers import read_header
from rexdense.datasets.images.loading import LoadImage
from rexdense.datasets.images.memory import in_order
from rexdense.datasets.images.orientation import turned_upright
from rexdense.datasets.transforms.crop import RandomResizedCrop
from rexdense.registry import TRANSFORMS

JPEG_START = b'\xff\xd8'
REDUCED = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
}
"""Factors by which libjpeg can shrink an image while decoding, the largest first."""


@TRANSFORMS.register_module()
class LoadRandomResizedCrop(RandomResizedCrop):
    """Read, crop and resize an image like LoadImage followed by RandomResizedCrop.

    The box is drawn in the same way from the size in the file's header. So crops have the same
    distribution, and for one seed the same position, as those of the two steps. A JPEG whose box is
    at least twice (4, 8 times) ``size`` in both directions is decoded at half (a quarter, an
    eighth) of its sides: libjpeg omits the highest frequencies of its 8 x 8 blocks, which such a
    crop would average out. For crops of 224 pixels of ImageNet's pictures, enlarged to 500, the
    mean difference from the two steps is 0.6 of 255 in the median of the pictures, and below 2 in
    all; crops that need full detail do not differ.

    Required keys: those of :class:`~rexdense.datasets.images.loading.LoadImage`. Added keys:
    ``img``, ``img_shape``, ``ori_shape``, the latter two (height, width).

    Args:
        size, area, ratio, interpolation: As in RandomResizedCrop.
        bit_depth, backend_args, background: As in LoadImage.
        reduce: Whether images are decoded at reduced size if the crop allows it.
    """

    def __init__(
        self,
        size: int,
        area: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        interpolation: str = 'bicubic',
        bit_depth: int = 16,
        backend_args: dict | None = None,
        background: int | None = None,
        reduce: bool = True,
    ) -> None:
        super().__init__(size, area, ratio, interpolation)
        self.loader = LoadImage(bit_depth, backend_args=backend_args, background=background)
        self.reduce = reduce

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add a crop of the image to ``results``. Raise UnreadableImage if the file is missing,
        damaged or has another type of number."""
        content = read_content(results, self.loader.backend_args)
        header = read_header(io.BytesIO(content)) if content.startswith(JPEG_START) else None
        if header is None or not self.reduce:
            return super().transform(self.loader.transform(results))
        path = results['img_path']
        results['ori_shape'] = header.upright_size
        box = self.draw_box(*header.upright_size)
        factor = next((f for f in REDUCED if min(box[2:]) >= f * self.size), 1)
        image = _decode_reduced(content, factor) if factor > 1 else None
        if image is None:
            image = self.loader.to_colour(decode_image(content, path), path)
            return self.cut(results, turned_upright(image, header.orientation), box)
        image = in_order(turned_upright(image, header.orientation))
        reduced = _reduced_box(box, factor, header.upright_size, header.orientation)
        results['img'] = _cut_reduced(image, reduced, self.size)
        results['img_shape'] = (self.size, self.size)
        return results

    def __repr__(self) -> str:
        return f'{super().__repr__()[:-1]}, reduce={self.reduce}, loader={self.loader})'


def _decode_reduced(content: bytes, factor: int) -> np.ndarray | None:
    """Return a JPEG as stored, with three channels and its sides divided by a factor and rounded
    up; None if it cannot be decoded."""
    flags = REDUCED[factor] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        return None


def _reduced_box(
    box: Sequence[int], factor: int, size: tuple[int, int], orientation: int
) -> list[float]:
    """Return the position in the reduced image of a box (left, top, width, height) of the upright
    image.

    libjpeg's blocks begin at the first row and column of the file. If a side is not a multiple of
    the factor, the last pixel is of a partial block; after turning, it may be the first.

    Args:
        factor: The factor that the sides were divided by.
        size: (height, width) of the upright image.
        orientation: The Exif orientation, 1 to 8, by which the image was turned.
    """
    left, top, width, height = (side / factor for side in box)
    corners = turned_upright(np.array([[True, False], [False, False]]), orientation)
    row, column = np.argwhere(corners)[0]
    rows, columns = (-side % factor / factor for side in size)
    return [left + column * columns, top + row * rows, width, height]


def _cut_reduced(image: np.ndarray, box: Sequence[float], size: int) -> np.ndarray:
    """Return a box (left, top, width, height), which may have fractions of pixels, as a square of
    ``size``.

    It is always bilinear: libjpeg has averaged already, as OpenCV's area filter would if the whole
    image shrank by the factor, and the remaining reduction is by a factor below 2.
    """
    left, top, width, height = box
    across, down = width / size, height / size
    # For the centre of a pixel, which has integer coordinates.
    matrix = [[across, 0, left + (across - 1) / 2], [0, down, top + (down - 1) / 2]]
    return cv2.warpAffine(
        image,
        np.array(matrix),
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
