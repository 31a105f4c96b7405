"""Pascal VOC: an XML file of boxes per image.

Source of the form: the VOC 2012 development kit, ``VOCdevkit/VOCcode/PASreadrecord.m``, and its
documentation, section 6. Boxes are whole pixels counted from 1, and include both corners.
``difficult`` objects are not trained on and do not count as missed.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element

from rexdense.datasets.coco.cleaning import crowd_flag
from rexdense.datasets.formats.conversion import (
    CocoBuilder,
    Converted,
    images_by_stem,
    only_image,
    size_of_image,
)
from rexdense.datasets.formats.safe_xml import parse_xml
from rexdense.datasets.formats.split_folders import subfolder
from rexdense.datasets.images.folders import is_data
from rexdense.datasets.text_files import read_limited
from rexdense.errors import DataError

ANNOTATIONS = 'Annotations'
IMAGES = 'JPEGImages'
LISTS = 'ImageSets/Main'
LIST_ENDING = '.txt'
MOST_BYTES = 256 * 2**20
_WHOLE = re.compile('0*[1-9][0-9]{0,8}')
_CLASS_FLAGS = ('-1', '0', '1')
"""Flags of images in the lists of one class."""


def is_voc(path: Path) -> bool:
    """Whether a path has annotations in VOC's form: a list of images, such as
    ``ImageSets/Main/train.txt``, or a folder with XML files."""
    if path.is_dir():
        return next(_xml_files(path), None) is not None
    return path.suffix.lower() == LIST_ENDING


def annotation_folder(root: Path) -> Path:
    """Return the folder ``Annotations``, however it is spelt; its path if there is none."""
    exact = root / ANNOTATIONS
    return exact if exact.is_dir() else subfolder(root, ANNOTATIONS.lower())


def voc_image_folders(path: Path) -> list[Path]:
    """Return the folders that may have the images of such annotations, the likeliest first."""
    root, below = path, ''
    if not path.is_dir():
        root = _root_of_list(path)
    elif path.name.lower() == ANNOTATIONS.lower():
        root = path.parent
    elif path.parent.name.lower() == ANNOTATIONS.lower():
        root, below = path.parent.parent, path.name
    places = root / IMAGES, subfolder(root, 'images')
    return [*(place / below for place in places if below), *places, root]


def read_voc(path: Path) -> Converted:
    """Read annotations in VOC's form.

    The image of ``a.xml`` is the one with the same name, whatever ``filename`` says, or else the
    one in ``filename``. If ``size`` is missing or 0, the size is read from the image. ``difficult``
    becomes COCO's ``iscrowd``, which has the same effect, and is also kept as a key, as is
    ``truncated``. Corners count from 1 as in VOC; a corner at 0 stays at 0.

    Args:
        path: See :func:`is_voc`.

    Raises:
        DataError: a list cannot be read, or has no image.
    """
    folder = _image_folder(path)
    stems = images_by_stem(folder)
    builder, faults = CocoBuilder(), []
    for name, file in _named_files(path):
        try:
            if not _stays_inside(name):
                raise DataError(f'{name[:80]!r} leads out of {ANNOTATIONS}: name an XML file in it')
            _add(builder, parse_xml(file), name, folder, stems)
        except DataError as error:
            faults.append(str(error))
    content = builder.content()
    if not content['images'] and not faults:
        raise DataError(f'{path} names no image; each line is the name of an XML file')
    return Converted(content, folder, faults)


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name.replace('\\', '/'))
    return not path.is_absolute() and '..' not in path.parts


def _root_of_list(path: Path) -> Path:
    """Return the folder that contains a list of images, at any depth, and the XML files. Raise
    DataError if there is none."""
    root = next((each for each in path.parents if annotation_folder(each).is_dir()), None)
    if root is None:
        raise DataError(
            f'{path} is no COCO file, and there is no folder {ANNOTATIONS} beside or above it, '
            'where Pascal VOC has XML files: give a COCO file, or a list of images of a VOC folder'
        )
    return root


def _image_folder(path: Path) -> Path:
    folders = [folder for folder in voc_image_folders(path) if folder.is_dir()]
    return next((folder for folder in folders if images_by_stem(folder)), folders[-1])


def _xml_files(folder: Path) -> Iterator[Path]:
    return (
        path
        for path in sorted(folder.glob('*'))
        if path.suffix.lower() == '.xml' and is_data(path.name)
    )


def _named_files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name and the XML file of each image."""
    if path.is_dir():
        yield from ((file.stem, file) for file in _xml_files(path))
        return
    try:
        lines = read_limited(path, MOST_BYTES).decode('utf-8-sig').splitlines()
    except UnicodeDecodeError:
        raise DataError(f'{path} is no UTF-8 text; it holds the name of an image a line') from None
    folder = annotation_folder(_root_of_list(path))
    for line in filter(None, map(str.strip, lines)):
        name, _, flag = line.rpartition(' ')
        if flag not in _CLASS_FLAGS or (folder / f'{line}.xml').is_file():
            name = line
        name = name.strip()
        yield name, folder / f'{name}.xml'


def _add(
    builder: CocoBuilder, root: Element, name: str, folder: Path, stems: dict[str, list[str]]
) -> None:
    """Add an image and its objects. Raise DataError if the XML is not VOC's, or if the size is
    unknown."""
    where = f'{name}.xml'
    if root.tag != 'annotation':
        raise DataError(
            f'{where} is not VOC: its root is {root.tag[:40]!r} and not annotation; CVAT exports '
            'this form as Pascal VOC, and masks as COCO'
        )
    stated = PurePosixPath(_text(root, 'filename').replace('\\', '/')).name
    file = only_image(stems.get(name) or [stated or f'{name}.jpg'], stated)
    objects = [_object(entry, where) for entry in root.findall('object')]
    builder.add_image(file, _size(root, folder / file))
    for class_name, box, flags in objects:
        builder.add_object(class_name, box, iscrowd=int(flags['difficult']), **flags)


def _size(root: Element, image: Path) -> tuple[int, int]:
    sides = [_text(root, f'size/{side}') for side in ('height', 'width')]
    if all(_WHOLE.fullmatch(side) for side in sides):
        return int(sides[0]), int(sides[1])
    return size_of_image(image)


def _object(entry: Element, where: str) -> tuple[str, list[float], dict[str, int]]:
    name = _text(entry, 'name')
    if not name:
        raise DataError(f'{where}: an object has no name')
    corners = []
    for key in ('xmin', 'ymin', 'xmax', 'ymax'):
        text = _text(entry, f'bndbox/{key}')
        try:
            corners.append(float(text))
        except ValueError:
            corners.append(math.nan)
        if not math.isfinite(corners[-1]):
            raise DataError(f'{where}: {key} of {name!r} is {text[:40]!r}; give a number')
    left, top = (max(corner - 1, 0) if corner >= 0 else corner for corner in corners[:2])
    right, bottom = corners[2:]
    flags = {key: crowd_flag(_text(entry, key)) for key in ('difficult', 'truncated')}
    return name, [left, top, right - left, bottom - top], flags


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or '').strip()
