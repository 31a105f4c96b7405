"""Reading of images, and encoding of pictures and maps."""

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from rexdense.datasets.images.loading import LoadImage
from rexdense.errors import InvalidArgument
from rexdense.files.writing import atomic_write

WRITABLE_ENDINGS = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
# In pixels; limits of the formats and of programs that open them.
LONGEST_SIDES = {'.webp': 16383, '.jpg': 65500, '.jpeg': 65500}
LONGEST_SIDE = 100_000
MOST_COLOURS = 256


class _Shown(LoadImage):
    """Loading of images for display: cameras and microscopes fill 10 or 12 of 16 bits."""

    def to_colour(self, image: np.ndarray, path: str, background: int | None = None) -> np.ndarray:
        if image.dtype == np.uint16:
            self.bit_depth = max(9, int(image.max()).bit_length())
            self._brightest = 2**16
        return super().to_colour(image, path, background)


def read_picture(path: str | Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """Read an image file as RGB (H, W, 3), uint8, in the orientation of the data pipeline.

    A 16-bit image is as bright as its values allow, whatever the pipeline uses as white.

    Args:
        size: (height, width) of the image in the annotations, if there are any.

    Raises:
        UnreadableImage: the image cannot be decoded.
    """
    stated = {} if size is None else dict(height=size[0], width=size[1])
    return _Shown()(dict(img_path=str(path), **stated))['img'][..., ::-1].copy()


def shown_pixels(pixels: np.ndarray) -> np.ndarray:
    """Return an array of an image, channels blue, green, red, as :func:`read_picture` shows one of
    a file, (H, W, 3), uint8, channels in the same order."""
    return _Shown().to_colour(pixels, '')


def picture_name(image: str | Path) -> str:
    """Return the file name for the drawing of an image: the same name, with .png appended if its
    format cannot be written."""
    path = Path(image)
    return path.name if path.suffix.lower() in WRITABLE_ENDINGS else f'{path.name}.png'


def check_picture_name(path: str | Path) -> str:
    """Return the ending of a file in lower case, which determines the picture format. Raise
    InvalidArgument for an unknown ending."""
    ending = Path(path).suffix.lower()
    if ending not in WRITABLE_ENDINGS:
        raise InvalidArgument(f'{path}: a picture ends in one of {", ".join(WRITABLE_ENDINGS)}')
    return ending


def write_picture(path: str | Path, image: np.ndarray, overwrite: bool = False) -> Path:
    """Write an RGB image (H, W, 3), uint8, in the format of the file's ending.

    The folder is created if it is missing. A picture larger than the format allows is scaled down.

    Args:
        overwrite: Replace an existing file.

    Raises:
        UnwritableFile: the file cannot be written.
        InvalidArgument: the ending is unknown.
    """
    ending = check_picture_name(path)
    return atomic_write(path, encode_picture(image, ending), overwrite, make_folder=True)


def encode_picture(image: np.ndarray, ending: str) -> bytes:
    """Return an RGB image (H, W, 3), uint8, as the content of a file. An image larger than the
    format allows is scaled down.

    Args:
        ending: '.jpg', '.png' or the ending of another format.
    """
    image = at_most(image, LONGEST_SIDES.get(ending, LONGEST_SIDE))
    _, data = cv2.imencode(ending, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return data.tobytes()


def at_most(image: np.ndarray, longest: int) -> np.ndarray:
    """Return an image (H, W, 3), uint8, scaled down to at most ``longest`` pixels on the longer
    side."""
    factor = longest / max(image.shape[:2])
    if factor >= 1:
        return image
    size = tuple(max(1, round(side * factor)) for side in image.shape[1::-1])
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def encode_labels(labels: np.ndarray, colours: Sequence[Sequence[int]]) -> bytes:
    """Return the labels (H, W) as a one-channel PNG with a palette of their colours (R, G, B). With
    more than 256 colours, the PNG has 16 bits and no palette."""
    if len(colours) > MOST_COLOURS:
        return encode_grey_16(labels.astype(np.uint16))
    image = Image.fromarray(labels.astype(np.uint8), mode='P')
    image.putpalette(np.asarray(colours, np.uint8).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, 'PNG')
    return buffer.getvalue()


def encode_grey_16(values: np.ndarray) -> bytes:
    """Return the values (H, W), uint16, as a 16-bit grey PNG."""
    _, data = cv2.imencode('.png', values)
    return data.tobytes()


def encode_array(values: np.ndarray) -> bytes:
    """Return an array as a .npy file of numpy."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()
