"""Image files as arrays, and the errors of unusable images."""

import io
import os

import cv2
import numpy as np

from rexdense.datasets.file_names import not_a_file
from rexdense.datasets.images.headers import read_header
from rexdense.datasets.images.orientation import as_stored, orientation_of, turned_upright
from rexdense.datasets.images.tiff_directory import TIFF_FAULTS, TIFF_START, TiffDirectory
from rexdense.errors import DataError

# Grey from white or from black, RGB, a palette, CMYK and YCbCr (TIFF 6.0, section 8). OpenCV
# silently decodes others, such as CIE L*a*b*, to wrong colours.
_TIFF_COLOURS = {None, 0, 1, 2, 3, 5, 6}

_MOST_PIXELS, _LONGEST_SIDE = 2**30, 2**20
"""The limits of OpenCV, unless environment variables set others."""


class ImageError(DataError):
    """An image that cannot be used; the message names the file.

    A dataloader worker passes an exception on with its whole traceback as the message. Only the
    last line is kept here.
    """

    def __init__(self, message: str) -> None:
        if 'Original Traceback' in message:
            message = message.rstrip().splitlines()[-1].partition(': ')[2]
        super().__init__(message)


class UnreadableImage(ImageError):
    """An image file that is missing, cannot be decoded or has no 8- or 16-bit integers."""


def decode_image(content: bytes, path: str) -> np.ndarray:
    """Return the image as stored: (height, width) or (height, width, channels), 8 or 16 bit. Raise
    UnreadableImage if it is damaged, no image, or has another type of number or colour."""
    colours = _tiff_colours(content)
    if colours not in _TIFF_COLOURS:
        raise UnreadableImage(
            f'image {path} is a TIFF file with colours of another kind than grey, RGB, CMYK and '
            f'YCbCr (PhotometricInterpretation {colours}; 8 is L*a*b*); save it as RGB'
        )
    image = decode_pixels(content, path, 'image')
    if image.dtype not in (np.uint8, np.uint16):
        raise UnreadableImage(
            f'image {path} holds {image.dtype} values; save it with 8 or 16 bits a channel'
        )
    return image


def decode_pixels(content: bytes, path: str, what: str) -> np.ndarray:
    """Return the pixels of an image file as stored, of any type of number. Raise UnreadableImage if
    it is damaged or no image.

    Args:
        what: Name of the kind of file in messages, such as 'depth map'.
    """
    try:
        pixels = cv2.imdecode(np.frombuffer(as_stored(content), np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise UnreadableImage(f'{what} {path} {_fault_of(content)}')
    return pixels


def _fault_of(content: bytes) -> str:
    """Return why OpenCV does not decode a file, and the remedy."""
    header = read_header(io.BytesIO(content))
    if header is not None:
        width, height = header.width, header.height
        if width * height > _MOST_PIXELS or max(width, height) > _LONGEST_SIDE:
            return f'has {width} x {height} pixels, too many to decode: cut it into tiles'
    fault = 'is empty' if not content else 'cannot be decoded: it is damaged or no image'
    return f'{fault}; replace it or take it out of the data'


def read_upright(path: str | os.PathLike[str]) -> np.ndarray:
    """Return the pixels of an image file as :func:`decode_image` does, turned upright. Raise
    UnreadableImage also if the file cannot be read."""
    if other := not_a_file(path):
        raise UnreadableImage(f'image {path} {other}; put the image there')
    try:
        with open(path, 'rb') as file:
            content = file.read()
    except OSError as error:
        raise UnreadableImage(f'image {path} cannot be read: {error.strerror}') from error
    return turned_upright(decode_image(content, str(path)), orientation_of(content))


def _tiff_colours(content: bytes) -> int | None:
    if not content.startswith(TIFF_START):
        return None
    try:
        return TiffDirectory(io.BytesIO(content)).photometric
    except TIFF_FAULTS:  # OpenCV says whether it can be read all the same
        return None
