"""Reading images, and pictures and maps as the content of files."""

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from rexdense.datasets.images.loading import LoadImage
from rexdense.errors import InvalidArgument
from rexdense.files import atomic_write

WRITABLE_ENDINGS = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
# Pixels; of the formats, and what programs open.
LONGEST_SIDES = {'.webp': 16383, '.jpg': 65500, '.jpeg': 65500}
LONGEST_SIDE = 100_000
MOST_COLOURS = 256


class _Shown(LoadImage):
    """Reading of images for the eye: cameras and microscopes fill 10 or 12 of 16 bits."""

    def to_colour(self, image: np.ndarray, path: str, background: int | None = None) -> np.ndarray:
        if image.dtype == np.uint16:
            self.bit_depth = max(9, int(image.max()).bit_length())
            self._brightest = 2**16
        return super().to_colour(image, path, background)


def read_picture(path: str | Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """Read an image file as RGB (H, W, 3), uint8, turned as the data pipeline turns it; one of 16
    bits as bright as its values allow, whatever the pipeline takes for white.

    Args:
        size: Its (height, width) in the annotations, if there are any.

    Raises:
        UnreadableImage: it cannot be decoded.
    """
    stated = {} if size is None else dict(height=size[0], width=size[1])
    return _Shown()(dict(img_path=str(path), **stated))['img'][..., ::-1].copy()


def shown_pixels(pixels: np.ndarray) -> np.ndarray:
    """Return an array of an image, channels blue, green, red, as :func:`read_picture` shows one of
    a file, (H, W, 3), uint8, channels in the same order."""
    return _Shown().to_colour(pixels, '')


def picture_name(image: str | Path) -> str:
    """Return the file name of the drawing of an image: its own, where that can be written."""
    path = Path(image)
    return path.name if path.suffix.lower() in WRITABLE_ENDINGS else f'{path.name}.png'


def check_picture_name(path: str | Path) -> str:
    """Return the ending of a file, in small letters, which picks the format of a picture; raise
    InvalidArgument where it is that of no format."""
    ending = Path(path).suffix.lower()
    if ending not in WRITABLE_ENDINGS:
        raise InvalidArgument(f'{path}: a picture ends in one of {", ".join(WRITABLE_ENDINGS)}')
    return ending


def write_picture(path: str | Path, image: np.ndarray, overwrite: bool = False) -> Path:
    """Write an RGB image (H, W, 3), uint8; the name's ending picks the format.

    Its folder is made if need be. A picture larger than the format allows is made smaller.

    Args:
        overwrite: Replace a file that is there.

    Raises:
        UnwritableFile: the file cannot be written.
        InvalidArgument: the ending is that of no format.
    """
    ending = check_picture_name(path)
    return atomic_write(path, encode_picture(image, ending), overwrite, make_folder=True)


def encode_picture(image: np.ndarray, ending: str) -> bytes:
    """Return an RGB image (H, W, 3), uint8, as the content of a file; one that is larger than the
    format allows is made smaller.

    Args:
        ending: '.jpg', '.png' or another of the formats.
    """
    image = at_most(image, LONGEST_SIDES.get(ending, LONGEST_SIDE))
    _, data = cv2.imencode(ending, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return data.tobytes()


def at_most(image: np.ndarray, longest: int) -> np.ndarray:
    """Return an image (H, W, 3), uint8, whose longer side has so many pixels at most."""
    factor = longest / max(image.shape[:2])
    if factor >= 1:
        return image
    size = tuple(max(1, round(side * factor)) for side in image.shape[1::-1])
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def encode_labels(labels: np.ndarray, colours: Sequence[Sequence[int]]) -> bytes:
    """Return a PNG of one channel, the labels (H, W) as they are, with a palette that shows each in
    its colour (R, G, B); with 16 bits and no palette where there are more than 256 colours."""
    if len(colours) > MOST_COLOURS:
        return encode_grey_16(labels.astype(np.uint16))
    image = Image.fromarray(labels.astype(np.uint8), mode='P')
    image.putpalette(np.asarray(colours, np.uint8).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, 'PNG')
    return buffer.getvalue()


def encode_grey_16(values: np.ndarray) -> bytes:
    """Return a PNG of one channel with 16 bits, the values (H, W), uint16, as they are."""
    _, data = cv2.imencode('.png', values)
    return data.tobytes()


def encode_array(values: np.ndarray) -> bytes:
    """Return an array as numpy's .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()
