"""labelme's JSON files, one per image, with shapes.

Source of the form: ``labelme/label_file.py`` and ``labelme/utils/shape.py`` of wkentaro/labelme.
Points are in pixels. Shapes with the same label and ``group_id`` are one object.
"""

import base64
import binascii
import math
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from rexdense.datasets.coco.cleaning import box_of_mask
from rexdense.datasets.coco.masks import decode_mask, encode_mask
from rexdense.datasets.formats.conversion import (
    CocoBuilder,
    Converted,
    images_by_stem,
    only_image,
    read_json_object,
    size_of_image,
)
from rexdense.datasets.formats.split_folders import UNDIVIDED, by_split, split_of, subfolders
from rexdense.datasets.images.folders import is_data
from rexdense.errors import DataError

MOST_BYTES = 256 * 2**20
"""Largest file in bytes; a file may contain its image as text."""
MOST_PIXELS = 2**28
CIRCLE_POINTS = 32
WITHOUT_AREA = ('point', 'points', 'line', 'linestrip')
KNOWN = ('polygon', 'rectangle', 'circle', 'mask')
_TURNED = ('oriented_rectangle', 'rotation')
"""Rectangles that are turned, all four corners given: labelme's, and X-AnyLabeling's."""


def is_labelme(root: Path) -> bool:
    """Whether a folder has JSON files of labelme."""
    for files in _split_files(root).values():
        for path in files[:3]:
            try:
                if isinstance(read_json_object(path, MOST_BYTES).get('shapes'), list):
                    return True
            except DataError:
                continue
    return False


def read_labelme(root: Path) -> dict[str, Converted]:
    """Read a folder of labelme's files, by split if there are subfolders with names of splits.
    Raise DataError if there is no such file.

    Circles and turned rectangles become polygons, others boxes without a mask. The image is the one
    of the name of the JSON file, else the only one below the folder that has the name of
    ``imagePath``.
    """
    splits = _split_files(root)
    if not any(splits.values()):
        raise DataError(f'{root} has no JSON files of labelme, nor have train/ and val/ in it')
    return {split: _read_split(root, files) for split, files in splits.items() if files}


def _split_files(root: Path) -> dict[str, list[Path]]:
    divided = by_split(
        (split_of(folder.name), folder)
        for folder in subfolders(root)
        if split_of(folder.name) and _json_files(folder)
    )
    found = {split: _json_files(folder) for split, folder in divided.items()}
    return found if any(found.values()) else {UNDIVIDED: _json_files(root)}


def _json_files(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.rglob('*.json'))
        if all(map(is_data, path.relative_to(folder).parts))
    ]


def _read_split(root: Path, files: Sequence[Path]) -> Converted:
    builder, faults = CocoBuilder(), []
    stems = images_by_stem(root)
    for path in files:
        where = path.relative_to(root).as_posix()
        try:
            content = read_json_object(path, MOST_BYTES)
            shapes = content.get('shapes')
            if not isinstance(shapes, list):
                raise DataError('it has no list of shapes, as files of labelme have')
            name = _image_of(root, path, content.get('imagePath'), stems)
            size = size_of_image(root / name)
            _check_size(content, size)
        except DataError as error:
            faults.append(f'{where}: {error}')
            continue
        builder.add_image(name, size)
        _add_shapes(builder, shapes, size, where, faults)
    return Converted(builder.content(), root, faults)


def _image_of(root: Path, path: Path, stated: Any, stems: dict[str, list[str]]) -> str:
    """Return the name of the image of a file, relative to the root. Raise DataError if there is
    none."""
    last = PurePosixPath(str(stated or '').replace('\\', '/')).name
    own = stems.get(path.relative_to(root).with_suffix('').as_posix())
    if own is not None:
        return only_image(own, last)
    names = (name for of_stem in stems.values() for name in of_stem)
    same = [name for name in names if last and PurePosixPath(name).name == last]
    if len(same) == 1:
        return same[0]
    what = f'{len(same)} images are called {last}' if same else f'its image {stated!r:.60} is not'
    raise DataError(f'{what}{"" if same else f" in {root}"}; put the image beside the file')


def _check_size(content: dict[str, Any], size: tuple[int, int]) -> None:
    stated = content.get('imageHeight'), content.get('imageWidth')
    if None not in stated and stated != size:
        raise DataError(
            f'it annotates an image of {stated[1]!r:.20} x {stated[0]!r:.20} pixels (width x '
            f'height), and the image is {size[1]} x {size[0]}'
        )


def _add_shapes(
    builder: CocoBuilder, shapes: list, size: tuple[int, int], where: str, faults: list[str]
) -> None:
    """Add the shapes of an image; the shapes of a group are one object."""
    groups: dict[Any, tuple[str, list[list | dict]]] = {}
    rectangles: set[Any] = set()
    for number, shape in enumerate(shapes, start=1):
        try:
            label, outline = _outline(shape, size)
        except DataError as error:
            faults.append(f'{where} shape {number}: {error}')
            continue
        group = shape.get('group_id')
        key = number if group is None else ('group', label, str(group))
        if key not in groups and shape.get('shape_type') == 'rectangle':
            rectangles.add(key)
        elif shape.get('shape_type') != 'rectangle':
            rectangles.discard(key)
        groups.setdefault(key, (label, []))[1].append(outline)
    for key, (label, outlines) in groups.items():
        mask: list | dict = outlines
        if any(isinstance(outline, dict) for outline in outlines):
            mask = _together(outlines, size)
        builder.add_object(label, box_of_mask(mask), None if key in rectangles else mask)


def _together(outlines: Sequence[list | dict], size: tuple[int, int]) -> dict:
    """Return the run lengths of the union of the masks and polygons of one object."""
    if len(outlines) == 1:
        return outlines[0]
    pixels = np.zeros(size, bool)
    for outline in outlines:
        pixels |= decode_mask(outline if isinstance(outline, dict) else [outline], *size)
    return encode_mask(pixels)


def _outline(shape: Any, size: tuple[int, int]) -> tuple[str, list[float] | dict]:
    """Return the label of a shape with its polygon or run lengths. Raise DataError if it cannot be
    used."""
    if not isinstance(shape, dict):
        raise DataError('it is no object')
    label, kind = shape.get('label'), shape.get('shape_type') or 'polygon'
    if not isinstance(label, str) or not label.strip():
        raise DataError(f'its label is {label!r}; give it a name')
    if kind in WITHOUT_AREA:
        raise DataError(f'a {kind} has no area; draw a {" or a ".join(KNOWN[:3])}')
    if kind in _TURNED:
        kind = 'polygon'
    if kind not in KNOWN:
        raise DataError(f'its shape_type {kind!r:.40} is not known; known are {", ".join(KNOWN)}')
    points = _points(shape.get('points'))
    if kind == 'mask':
        return label.strip(), _mask(shape.get('mask'), points, size)
    if kind == 'polygon':
        if len(points) < 3:
            raise DataError(f'a polygon of {len(points)} points; it takes 3')
    elif len(points) != 2 and not (kind == 'rectangle' and len(points) == 4):
        taken = '2 or 4' if kind == 'rectangle' else '2'
        raise DataError(f'a {kind} of {len(points)} points; it takes {taken}')
    # X-AnyLabeling writes labelme's format with all four corners.
    if kind == 'rectangle' and len(points) == 2:
        (left, top), (right, bottom) = points
        points = [(left, top), (right, top), (right, bottom), (left, bottom)]
    elif kind == 'circle':
        (x, y), edge = points
        radius = math.dist((x, y), edge)
        angles = (2 * math.pi * turn / CIRCLE_POINTS for turn in range(CIRCLE_POINTS))
        points = [(x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles]
    return label.strip(), [number for point in points for number in point]


def _points(points: Any) -> list[tuple[float, float]]:
    if not isinstance(points, list):
        raise DataError('it has no list of points')
    for point in points:
        numbers = point if isinstance(point, list) and len(point) == 2 else [None]
        if not all(
            isinstance(number, int | float)
            and not isinstance(number, bool)
            and abs(number) < 1e9  # NaN compares false
            for number in numbers
        ):
            raise DataError(f'its point {point!r:.40} is not two numbers')
    return [(float(x), float(y)) for x, y in points]


def _mask(text: Any, points: Sequence[tuple[float, float]], size: tuple[int, int]) -> dict:
    """Return the run lengths of a mask, stored as a PNG in text form, in the box of two points."""
    import cv2

    try:
        content = base64.b64decode(text, validate=True)
        mask = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    except (TypeError, ValueError, binascii.Error, cv2.error):
        mask = None
    if mask is None or len(points) != 2:
        raise DataError('its mask is no PNG as text with the two corners of its box')
    if math.prod(size) > MOST_PIXELS:
        raise DataError(f'its image has more than {MOST_PIXELS} pixels; draw a polygon')
    left, top = (round(min(values)) for values in zip(*points, strict=True))
    pixels = np.zeros(size, bool)
    inside = mask[max(-top, 0) :, max(-left, 0) :]
    top, left = max(top, 0), max(left, 0)
    part = pixels[top : top + inside.shape[0], left : left + inside.shape[1]]
    part |= inside[: part.shape[0], : part.shape[1]] > 0
    if not pixels.any():
        raise DataError('its mask has no pixel inside the image')
    return encode_mask(pixels)
