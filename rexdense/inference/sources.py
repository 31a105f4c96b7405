"""Sources of a predictor as a sequence of single images."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from rexdense.datasets.images.files import UnreadableImage
from rexdense.datasets.images.loading import ImageError
from rexdense.datasets.images.videos import Video, is_video
from rexdense.errors import InvalidArgument, first_line
from rexdense.tasks.prediction_files import find_images

CHANNELS = ('rgb', 'bgr')

_Single = str | os.PathLike[str] | np.ndarray | Image.Image
Images = _Single | Iterable[_Single]
"""An image file, a folder of them, a video file, an array or an image of PIL; or several."""


class Source(NamedTuple):
    """An image file to be read, or an image in memory.

    Attributes:
        name: What messages call it.
        path: The image file, or the video; None for an array and an image of PIL.
        frame: Number of the frame in its video, from 0.
        pixels: (H, W), or (H, W, C) with channels blue, green, red, alpha; uint8 or uint16; None
            for an image file.
    """

    name: str
    path: Path | None = None
    frame: int | None = None
    pixels: np.ndarray | None = None


def images_in(images: Images) -> list | Iterator:
    """Return paths, arrays and images of PIL one by one, the images of a folder in its place, as a
    list, or as an iterator where one was given; raise DataError where a folder has no images."""
    if isinstance(images, str | os.PathLike | np.ndarray | Image.Image | bytes | bytearray):
        return _listed(images)
    if isinstance(images, list | tuple):
        return [each for image in images for each in _listed(image)]
    if isinstance(images, Iterable) and not hasattr(images, '__array__'):
        return (each for image in images for each in _listed(image))
    return _listed(images)


def _listed(image: object) -> list:
    if isinstance(image, str | os.PathLike) and os.path.isdir(image):
        return find_images(Path(image))
    return [image]


def sources_of(images: Iterable, channels: str) -> Iterator[Source | ImageError]:
    """Yield the images, and videos frame by frame. Yield an error if a video cannot be read, or not
    to its end.

    Args:
        images: Paths, arrays and images of PIL.
        channels: The order of the channels of arrays.

    Raises:
        InvalidArgument: one is none of these.
    """
    for number, image in enumerate(images):
        if isinstance(image, np.ndarray):
            name = f'array {number}'
            yield Source(name, pixels=_in_opencv_order(image, channels, name))
        elif isinstance(image, Image.Image):
            yield _of_pillow(image, f'image {number}')
        elif not isinstance(image, str | os.PathLike):
            raise InvalidArgument(
                f'image {number} is a {type(image).__name__}: give a path, an image of PIL, or an '
                'array (height, width, 3) of uint8 or uint16'
            )
        elif is_video(image):
            try:
                for frame, pixels in enumerate(Video(image).frames()):
                    yield Source(f'{image}, frame {frame}', Path(image), frame, pixels)
            except ImageError as error:
                yield error
        else:
            yield Source(str(image), Path(image))


def _in_opencv_order(image: np.ndarray, channels: str, name: str) -> np.ndarray:
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    colour = image.ndim == 3 and image.shape[2] in (3, 4)
    if (
        image.dtype not in (np.uint8, np.uint16)
        or not image.size
        or not (image.ndim == 2 or colour)
    ):
        raise InvalidArgument(
            f'{name} has shape {image.shape} and {image.dtype} values: give (height, width, 3), '
            'grey (height, width) or with alpha (height, width, 4), of uint8 or uint16'
        )
    if image.ndim == 2 or channels == 'bgr':
        # A camera reader may write the next frame into the same array.
        return image.copy()
    return image[..., [2, 1, 0, 3][: image.shape[2]]]


def _of_pillow(image: Image.Image, name: str) -> Source | ImageError:
    """Return an image of PIL, upright, or why it cannot be used."""
    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith('I'):  # of 16 bits, or of 32 that may hold no more
            pixels = np.asarray(upright)
            if pixels.min() >= 0 and pixels.max() < 2**16:
                return Source(name, pixels=pixels.astype(np.uint16))
        elif upright.mode != 'F':
            alpha = upright.mode in ('RGBA', 'LA', 'PA') or 'transparency' in upright.info
            kept = upright.convert('RGBA' if alpha else 'RGB')
            return Source(name, pixels=_in_opencv_order(np.asarray(kept), 'rgb', name))
    except (OSError, SyntaxError, ValueError) as error:  # of files, which are read only now
        return UnreadableImage(f'{name} cannot be decoded: {first_line(error)}; replace it')
    return UnreadableImage(
        f'{name} has other values than those of 8 or 16 bits (mode {image.mode}); scale them, and '
        'give an array of uint8 or uint16'
    )
