"""Reading images and writing pictures, whole whenever they are there."""

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from rexdense.datasets.loading import LoadImage
from rexdense.errors import InvalidArgument

__all__ = [
    'encode_array',
    'encode_grey_16',
    'encode_palette',
    'picture_name',
    'read_picture',
    'write_file',
    'write_picture',
]

WRITABLE_ENDINGS = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')


def read_picture(path: str | Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """Read an image file as RGB (H, W, 3), uint8, turned as the data pipeline turns it.

    Args:
        size: Its (height, width) in the annotations, if there are any.

    Raises:
        UnreadableImage: it cannot be decoded.
    """
    stated = {} if size is None else dict(height=size[0], width=size[1])
    return LoadImage()(dict(img_path=str(path), **stated))['img'][..., ::-1].copy()


def picture_name(image: str | Path) -> str:
    """Return the file name of the drawing of an image: its own, where that can be written."""
    path = Path(image)
    return path.name if path.suffix.lower() in WRITABLE_ENDINGS else f'{path.name}.png'


def write_picture(path: str | Path, image: np.ndarray) -> Path:
    """Write an RGB image (H, W, 3), uint8; the name's ending picks the format.

    Raises:
        InvalidArgument: the file cannot be written.
    """
    _, data = cv2.imencode(Path(path).suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return write_file(path, data.tobytes())


def encode_palette(indices: np.ndarray, colours: Sequence[Sequence[int]]) -> bytes:
    """Return a PNG of one channel, the indices (H, W) as they are, with a palette that shows each
    in its colour (R, G, B)."""
    image = Image.fromarray(indices.astype(np.uint8), mode='P')
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


def write_file(path: str | Path, content: bytes) -> Path:
    """Write a file aside and rename it; make its folder if need be.

    Raises:
        InvalidArgument: it cannot be written.
    """
    path = Path(path)
    aside = path.with_name(f'.{path.name}.part')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(content)
        aside.replace(path)
    except OSError as error:
        raise InvalidArgument(
            f'picture {path} cannot be written ({error.strerror}); choose another folder'
        ) from error
    return path
