"""Tiny classification folders with a colour per class and real image files."""

from pathlib import Path

import numpy as np
from PIL import Image

from tests.tiny_run import NARROW, SHALLOW

CLASSES = ('blue', 'green', 'red')
COLOURS = ((30, 30, 200), (30, 200, 30), (200, 30, 30))
CONFIG = 'configs/classification/rexnet-1.0_custom.py'


def write_images(folder: Path, number: int, colour: tuple[int, int, int], size=(40, 48)) -> None:
    """Write noisy images of a colour."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(number):
        noise = np.random.default_rng(index).integers(-25, 25, (*size, 3))
        image = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(image).save(folder / f'{index}.png')


def write_classification(root: Path, train: int = 4, val: int = 2) -> Path:
    """Write a whole folder with ``train`` and ``val`` images per class, and return it."""
    for split, number in (('train', train), ('val', val)):
        for name, colour in zip(CLASSES, COLOURS, strict=True):
            write_images(root / split / name, number, colour)
    return root


def classification_arguments(
    data_root: Path, work_dir: Path, *more: str, settings: tuple = ()
) -> list[str]:
    """Return options of rexdense train and rexdense test for a run of a second or two."""
    return [
        *('--data-root', str(data_root), '--work-dir', str(work_dir), '--device', 'cpu'),
        *('--scale', '32,32', '--batch-size', '4', '--workers', '0', *more),
        *('--cfg-options', NARROW, SHALLOW, *settings),
    ]
