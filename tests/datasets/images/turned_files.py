"""Image files of one picture, stored in each of the eight orientations."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

UPRIGHT = np.random.default_rng(3).integers(0, 256, (20, 36, 3), np.uint8)
GREY = UPRIGHT[..., 0]
ORIENTATIONS = tuple(range(1, 9))

STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: upright[:, ::-1].swapaxes(0, 1),
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: upright[::-1].swapaxes(0, 1),
}
"""Pixels stored under each orientation so that a viewer shows the upright picture: row 0 and
column 0 of the file lie where Exif 2.32, 4.6.4 A says."""


def save_turned(path: Path, upright: np.ndarray, orientation: int, **options) -> Path:
    """Save a picture so that viewers show it upright."""
    image = Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    if path.suffix in ('.tif', '.tiff'):
        image.save(path, tiffinfo={274: orientation}, **options)
    else:
        exif = Image.Exif()
        exif[274] = orientation
        lossless = {'.webp': dict(lossless=True), '.jpg': dict(quality=100, subsampling=0)}
        image.save(path, exif=exif, **lossless.get(path.suffix, {}), **options)
    return path
