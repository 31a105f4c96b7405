"""The Shapes data set as a folder for every task of the library."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rexdense.datasets.shapes.annotations import CocoAnnotations
from rexdense.datasets.shapes.encoding import encode_png
from rexdense.datasets.shapes.outlines import SHAPE_CLASSES
from rexdense.datasets.shapes.scene import CROP_SIZE, SPLITS, UNITS_PER_METRE, draw_crop, draw_scene
from rexdense.errors import DataError, InvalidArgument, UnwritableFile
from rexdense.files.destinations import as_unwritable
from rexdense.files.writing import folder_written_aside

VERSION = 1
"""Increased whenever the same settings would give other pixels or files."""

_SETTINGS_FILE = 'dataset.json'
_PICTURE_FOLDERS = 'images', 'labels', 'depth'


def make_shapes(
    root: str | os.PathLike[str],
    *,
    train: int = 480,
    val: int = 60,
    size: tuple[int, int] = (160, 160),
    seed: int = 0,
) -> Path:
    """Write the Shapes data set to ``root``, unless it exists already, and return its path.

    Picture ``i`` of a split depends only on the seed, the split, the size and ``i``, so a longer
    set starts with the pictures of a shorter one. The folder appears when it is complete. It
    contains

    - ``images/{train,val}/000000.png``: RGB;
    - ``annotations/{train,val}.json``: COCO detection and instance annotations of the visible
      parts, with run-length masks; a ``file_name`` is relative to ``images/``;
    - ``labels/{train,val}/000000.png``: a label for each pixel, the line number in
      ``classes.txt`` counted from 0, the background;
    - ``depth/{train,val}/000000.png``: 16 bit, in millimetres;
    - ``crops/{train,val}/<class>/000000.png``: single objects, 64 x 64 pixels, as many of each
      class as there are pictures;
    - ``dataset.json``: the settings of the set.

    Args:
        train, val: number of pictures in each split.
        size: height and width of a picture in pixels.

    Raises:
        InvalidArgument: a number is out of range.
        DataError: ``root`` has other content, a set with other settings, or an incomplete set.
        UnwritableFile: ``root`` cannot be written.
    """
    settings = _settings(train, val, size, seed)
    root = Path(root).resolve()
    with as_unwritable(root):
        if _holds(root, settings):
            return root
    try:
        with folder_written_aside(root) as write:
            _write(write, settings)
    except UnwritableFile:
        # Another process may have just written the same set.
        if not _holds(root, settings):
            raise
    return root


def _settings(train: int, val: int, size: tuple[int, int], seed: int) -> dict[str, Any]:
    """Return the content of ``dataset.json``."""
    try:
        height, width = size
    except (TypeError, ValueError):
        raise InvalidArgument(f'size={size!r}: give (height, width) in pixels') from None
    for name, value, low, high in (
        ('train', train, 1, 999_999),
        ('val', val, 1, 999_999),
        ('height', height, 32, 1024),
        ('width', width, 32, 1024),
        ('seed', seed, 0, 2**32 - 1),
    ):
        if not isinstance(value, int) or not low <= value <= high:
            raise InvalidArgument(f'{name}={value!r}: give a whole number from {low} to {high}')
    return {
        'name': 'Shapes',
        'version': VERSION,
        'seed': seed,
        'train': train,
        'val': val,
        'size': [height, width],
        'classes': list(SHAPE_CLASSES),
        'crop_size': CROP_SIZE,
        'depth': {'unit': 'millimetre', 'units_per_metre': UNITS_PER_METRE},
    }


def _holds(root: Path, settings: dict[str, Any]) -> bool:
    """Whether ``root`` is the complete set with these settings; False if it is missing. Raise
    DataError if it is something else."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        there = json.loads((root / _SETTINGS_FILE).read_text())
        if there['name'] != 'Shapes':
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DataError(f'{root} exists and is no Shapes dataset; choose another folder') from None
    remedy = 'delete it or choose another folder'
    differing = [name for name in settings if there.get(name) != settings[name]]
    if differing:
        found = ', '.join(f'{name} {there.get(name)}' for name in differing)
        asked = ', '.join(f'{name} {settings[name]}' for name in differing)
        raise DataError(f'{root} holds Shapes with {found}, but asked for was {asked}; {remedy}')
    missing = [name for name in _file_names(settings) if not (root / name).is_file()]
    if missing:
        raise DataError(
            f'{root} holds Shapes with {len(missing)} files missing, such as {missing[0]}; {remedy}'
        )
    return True


def _file_names(settings: dict[str, Any]) -> Iterator[str]:
    """Yield all files of a set except ``dataset.json``."""
    yield 'classes.txt'
    for split in SPLITS:
        yield f'annotations/{split}.json'
        for index in range(settings[split]):
            picture = _picture_name(split, index)
            yield from (f'{folder}/{picture}' for folder in _PICTURE_FOLDERS)
            yield from (_crop_name(split, class_name, index) for class_name in SHAPE_CLASSES)


def _picture_name(split: str, index: int) -> str:
    return f'{split}/{index:06d}.png'


def _crop_name(split: str, class_name: str, index: int) -> str:
    return f'crops/{split}/{class_name}/{index:06d}.png'


def _write(write: Callable[[str, bytes], None], settings: dict[str, Any]) -> None:
    """Write all files of the set with ``write(name, content)``."""
    seed, (height, width) = settings['seed'], settings['size']
    for split in SPLITS:
        annotations = CocoAnnotations(f'Shapes, {split}')
        for index in range(settings[split]):
            scene = draw_scene(seed, split, index, height, width)
            name = _picture_name(split, index)
            annotations.add(name, scene)
            pictures = scene.image, scene.semantic, scene.depth
            for folder, pixels in zip(_PICTURE_FOLDERS, pictures, strict=True):
                write(f'{folder}/{name}', encode_png(pixels))
            for class_name in SHAPE_CLASSES:
                crop = draw_crop(seed, split, class_name, index)
                write(_crop_name(split, class_name, index), encode_png(crop))
        write(f'annotations/{split}.json', json.dumps(annotations.content).encode())
    write('classes.txt', '\n'.join(['background', *SHAPE_CLASSES, '']).encode())
    write(_SETTINGS_FILE, f'{json.dumps(settings, indent=2)}\n'.encode())
