"""Tiny folders of images and label maps, with real image files."""

from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 48, 40
CLASSES = ('background', 'cat', 'dog')


def label_map(number: int, classes: int = len(CLASSES)) -> np.ndarray:
    """Return a label map (HEIGHT, WIDTH) of uint8: the classes side by side, and a row of void."""
    columns = (np.arange(WIDTH) + number) * classes // WIDTH % classes
    labels = np.tile(columns.astype(np.uint8), (HEIGHT, 1))
    labels[0] = 255
    return labels


def write_image(path: Path, labels: np.ndarray) -> None:
    """Write an image whose colours depend on the labels, so that they can be learnt."""
    noise = np.random.default_rng(labels.size).integers(0, 40, (*labels.shape, 3))
    colours = np.array([[20, 20, 20], [200, 40, 40], [40, 40, 200]])[labels % 3]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((colours + noise).astype(np.uint8)).save(path)


def write_labels(path: Path, labels: np.ndarray, mode: str | None = None) -> None:
    """Write a label map as it is, or converted to another Pillow mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels)
    (image.convert(mode) if mode else image).save(path)


def write_segmentation(root: Path, train: int = 4, val: int = 2) -> Path:
    """Write a whole folder and return it."""
    root.mkdir(parents=True, exist_ok=True)
    (root / 'classes.txt').write_text('\n'.join(CLASSES) + '\n')
    for split, number in (('train', train), ('val', val)):
        for index in range(number):
            labels = label_map(index)
            write_image(root / f'images/{split}/{index}.png', labels)
            write_labels(root / f'labels/{split}/{index}.png', labels)
    return root
