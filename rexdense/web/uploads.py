"""Checks of uploaded images: format and size, by their headers before decoding."""

import os
from pathlib import Path
from typing import NamedTuple

from rexdense.datasets.images.headers import read_header
from rexdense.datasets.images.loading import ImageError
from rexdense.datasets.images.videos import is_video

MEGABYTE = 10**6
UPLOAD_ENDINGS = ('.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff')


class Limits(NamedTuple):
    """The limits for a visitor.

    Attributes:
        bytes: Size of a file.
        pixels: Size of an image. Decoded, it has three bytes per pixel, and several copies are
            made.
        images: Number of images at once.
    """

    bytes: int = 20 * MEGABYTE
    pixels: int = 40 * MEGABYTE
    images: int = 100


def check_upload(path: Path, limits: Limits) -> None:
    """Raise ImageError if a file is too large or not an accepted image, by its name, size and
    header. The message has only the file name, without the server's folder."""
    name = path.name
    if is_video(path):
        raise ImageError(
            f'{name} is a video: give images, or run rexdense predict CHECKPOINT {name} --out-dir '
            'FOLDER'
        )
    try:
        size = os.path.getsize(path)
        with open(path, 'rb') as file:
            header = read_header(file)
    except OSError as error:
        raise ImageError(f'{name} cannot be read ({error.strerror}): upload it again') from error
    if size > limits.bytes:
        raise ImageError(
            f'{name} has {size / MEGABYTE:.1f} MB: at most {limits.bytes / MEGABYTE:g} MB are '
            'taken; make it smaller, or start rexdense web with a larger --max-size'
        )
    if header is None:
        kinds = ', '.join(ending[1:] for ending in UPLOAD_ENDINGS)
        raise ImageError(
            f'{name} is no image, or damaged at its beginning: give one of the kinds {kinds}'
        )
    if header.width * header.height > limits.pixels:
        raise ImageError(
            f'{name} has {header.width} x {header.height} pixels, '
            f'{header.width * header.height / MEGABYTE:.0f} million: at most '
            f'{limits.pixels / MEGABYTE:g} million are taken; make it smaller, or start rexdense '
            'web with a larger --max-pixels'
        )
