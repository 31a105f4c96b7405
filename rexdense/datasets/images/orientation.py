"""The orientation of image files, and making images upright."""

import io

import numpy as np

from rexdense.datasets.images.headers import read_header
from rexdense.datasets.images.tiff_directory import TIFF_FAULTS, TIFF_START, TiffDirectory

_TURNS = {
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: image.swapaxes(0, 1)[:, ::-1],
    7: lambda image: image.swapaxes(0, 1)[::-1, ::-1],
    8: lambda image: image.swapaxes(0, 1)[::-1],
}
"""Operations that make an image upright, by the tag Orientation (Exif 2.32, 4.6.4 A)."""


def orientation_of(content: bytes) -> int:
    """Return the orientation of an image file, 1 to 8; 1, upright, if it has none."""
    header = read_header(io.BytesIO(content))
    return 1 if header is None else header.orientation


def as_stored(content: bytes) -> bytes:
    """Return the content of an image file, changed so that decoders give the pixels as stored.

    OpenCV and Pillow turn some kinds of TIFF files by their tag, but no other files. So the tag of
    a TIFF file is set to upright.
    """
    if not content.startswith(TIFF_START):
        return content
    try:
        return TiffDirectory(io.BytesIO(content)).orientation_set_upright(content)
    except TIFF_FAULTS:
        return content


def turned_upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Return an image (height, width) or (height, width, channels), turned by its orientation."""
    return image if orientation == 1 else _TURNS[orientation](image)
