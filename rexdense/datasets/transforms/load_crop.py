"""Read and crop an image in one step that decodes no more detail than the crop needs."""

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
"""Factors by which libjpeg can shrink an image while it decodes, the largest first."""


@TRANSFORMS.register_module()
class LoadRandomResizedCrop(RandomResizedCrop):
    """Read an image, and crop and resize it as LoadImage and RandomResizedCrop after it do.

    The box is drawn from the size that the file's header states, by the same draws, so that crops
    are distributed, and for one seed placed, as those of the two steps. A JPEG whose box is at
    least twice (4, 8 times) ``size`` in both directions is decoded at half (a quarter, an eighth)
    of its sides: libjpeg leaves out the finest frequencies of its 8 x 8 blocks, which such a crop
    would average away. Crops
    of 224 pixels of ImageNet's pictures, enlarged to 500, then differ from those of the two steps
    by a mean of 0.6 of 255 in the median of the pictures, and by less than 2 in all; crops that
    need full detail do not differ.

    Required keys: those of :class:`~rexdense.datasets.images.loading.LoadImage`. Added keys:
    ``img``, ``img_shape``, ``ori_shape``, the latter two (height, width).

    Args:
        size, area, ratio, interpolation: Those of RandomResizedCrop.
        bit_depth, backend_args, background: Those of LoadImage.
        reduce: Whether images are decoded at reduced size where the crop allows it.
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
        """Add a crop of the image to ``results``; raise UnreadableImage where the file is missing,
        damaged or of another kind of number."""
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
    """Return a JPEG as stored, three channels, its sides divided by a factor and rounded up; None
    if it cannot be decoded."""
    flags = REDUCED[factor] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        return None


def _reduced_box(
    box: Sequence[int], factor: int, size: tuple[int, int], orientation: int
) -> list[float]:
    """Return a box (left, top, width, height) of an upright image as it lies in the reduced one.

    libjpeg's pixels begin at the first row and column of the file; the last ones are of parts of
    the image where its sides are no multiples of the factor. Turning may put these first.

    Args:
        factor: That the sides were divided by.
        size: (height, width) of the upright image.
        orientation: Exif's, 1 to 8, by which the image was turned.
    """
    left, top, width, height = (side / factor for side in box)
    corners = turned_upright(np.array([[True, False], [False, False]]), orientation)
    row, column = np.argwhere(corners)[0]
    rows, columns = (-side % factor / factor for side in size)
    return [left + column * columns, top + row * rows, width, height]


def _cut_reduced(image: np.ndarray, box: Sequence[float], size: int) -> np.ndarray:
    """Return a box (left, top, width, height), not of whole pixels, as a square of ``size``.

    Bilinear, whatever is asked for: libjpeg has averaged, as OpenCV's area filter does where the
    whole image shrinks as much, and less than half of the sides is left to lose.
    """
    left, top, width, height = box
    across, down = width / size, height / size
    # Of the middle of a pixel, which lies at whole numbers.
    matrix = [[across, 0, left + (across - 1) / 2], [0, down, top + (down - 1) / 2]]
    return cv2.warpAffine(
        image,
        np.array(matrix),
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
