"""Sources of a predictor as a sequence of single images."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rexdense.datasets.images.loading import ImageError
from rexdense.datasets.images.videos import Video, is_video
from rexdense.errors import InvalidArgument
from rexdense.tasks.prediction_files import find_images

CHANNELS = ('rgb', 'bgr')

Images = str | os.PathLike[str] | np.ndarray | Iterable[str | os.PathLike[str] | np.ndarray]
"""An image file, a folder of images, a video file or an array, or several of these."""


class Source(NamedTuple):
    """An image file to be read, or an image in memory.

    Attributes:
        name: Name in messages.
        path: The image or video file; None for an array.
        frame: Number of the frame in its video, from 0.
        pixels: (H, W), or (H, W, C) with channels blue, green, red, alpha; uint8 or uint16; None
            for an image file.
    """

    name: str
    path: Path | None = None
    frame: int | None = None
    pixels: np.ndarray | None = None


def images_in(images: Images) -> list | Iterator:
    """Return paths and arrays one by one, with each folder replaced by its images. The result is a
    list, or an iterator if one was given. Raise DataError if a folder has no images."""
    if isinstance(images, str | os.PathLike | np.ndarray):
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
        images: Paths and arrays.
        channels: Channel order of the arrays.

    Raises:
        InvalidArgument: an item is neither a path nor an image array.
    """
    for number, image in enumerate(images):
        if isinstance(image, np.ndarray):
            name = f'array {number}'
            yield Source(name, pixels=_in_opencv_order(image, channels, name))
        elif not isinstance(image, str | os.PathLike):
            raise InvalidArgument(
                f'image {number} is a {type(image).__name__}: give a path, or an array (height, '
                'width, 3) such as numpy.asarray makes of a PIL image'
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
