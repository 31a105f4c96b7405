"""Lists of images and classes as text: ``path label`` or ``path,class`` a line."""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from rexdense.datasets.classification.file_index import IMAGE_ENDINGS, FileIndex
from rexdense.datasets.file_names import find_files
from rexdense.errors import DataError, suggest

__all__ = ['read_image_list', 'read_text', 'synset_of']

MOST_NAMED = 3
IMAGENET_ENDING = '.JPEG'
"""What images bear that a list names without an ending, as ImageNet's lists do."""

IMAGE_COLUMNS = (
    'image',
    'imageid',
    'image_id',
    'image_path',
    'img_path',
    'path',
    'file',
    'filename',
)
CLASS_COLUMNS = ('class', 'class_name', 'label', 'category', 'target', 'predictionstring')
"""Names of columns, in small letters; those of Kaggle's ImageNet are among them."""


def read_text(path: Path) -> str:
    """Return the content of a UTF-8 text file.

    Raises:
        DataError: it cannot be read, or is no such text.
    """
    try:
        return path.read_text(encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or 'it is no UTF-8 text'
        raise DataError(f'{path} cannot be read ({reason})') from error


def synset_of(text: str) -> str | None:
    """Return the synset that a text begins with, None if it does with none.

    Example:
        >>> synset_of('n01440764 tench, Tinca tinca')
        'n01440764'
    """
    match = re.match(r'n\d{8}(?=\s|$)', text)
    return match and match[0]


def read_image_list(
    path: Path, folder: Path, classes: Sequence[str] | None = None
) -> tuple[tuple[str, ...], FileIndex]:
    """Read a list of images with their classes.

    A ``.csv`` file has a column of images and one of classes: the first two, or those that a header
    names. Any other file has a path and a class a line, the last tab, or else the last blank,
    between them; lines that begin with # are left out. Images that are named without an ending, as
    in ImageNet's lists, get ``.JPEG``, and of a class that begins with a synset the synset counts.

    Where every class is a whole number, the numbers are the labels, from 0, unless all are among
    ``classes``; else they are names.

    Args:
        path: The list.
        folder: What its paths are relative to.
        classes: Names in the order of the labels; None takes them from the list, sorted.

    Raises:
        DataError: the list is missing or empty, a line cannot be read, an image is not there, or a
            class is unknown.
    """
    rows = list(_rows(path))
    if not rows:
        raise DataError(f'{path} lists no image; give a path and a class a line')
    names, labels = _labels(path, rows, classes)
    return names, FileIndex(folder, _find(path, folder, [image for image, _ in rows]), labels)


def _find(path: Path, folder: Path, images: list[str]) -> list[str]:
    """Return the path below a folder of each image of a list."""
    images = [
        image if image.lower().endswith(IMAGE_ENDINGS) else image + IMAGENET_ENDING
        for image in images
    ]
    found = find_files(folder, images)
    missing = [image for image, file in zip(images, found, strict=True) if file is None]
    if missing:
        raise DataError(
            f'{path} lists {len(missing)} of {len(images)} images that are not in {folder} (first '
            f'{", ".join(missing[:MOST_NAMED])})'
        )
    return found


def _labels(
    path: Path, rows: list[tuple[str, str]], classes: Sequence[str] | None
) -> tuple[tuple[str, ...], list[int]]:
    """Return the class names, and the label of each row."""
    words = [word for _, word in rows]
    there = set(words)
    if all(re.fullmatch(r'[+-]?\d+', word) for word in there) and not there <= set(classes or ()):
        numbers = [int(word) for word in words]
        names = tuple(classes or map(str, range(max(max(numbers), 0) + 1)))
        for (image, word), number in zip(rows, numbers, strict=True):
            if not 0 <= number < len(names):
                raise DataError(
                    f'{path}: {image} has the label {word}, but there are {len(names)} '
                    f'classes, 0 to {len(names) - 1}'
                )
        return names, numbers
    names = tuple(classes) if classes is not None else tuple(sorted(there))
    places = {name: index for index, name in enumerate(names)}
    unknown = next((word for word in words if word not in places), None)
    if unknown is not None:
        raise DataError(f'{path}: the class {unknown!r} is not known: {suggest(unknown, names)}')
    return names, [places[word] for word in words]


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the image and the class of each line."""
    read = _csv_rows if path.suffix.lower() == '.csv' else _text_rows
    for number, image, word in read(path):
        if not image or not word:
            raise DataError(f'{path}, line {number}: give an image and its class')
        yield image, synset_of(word) or word


def _text_rows(path: Path) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if line.strip() and not line.startswith('#'):
            image, _, word = line.strip().rpartition('\t' if '\t' in line.strip() else ' ')
            yield number, image.strip(), word.strip()


def _csv_rows(path: Path) -> Iterator[tuple[int, str, str]]:
    lines = csv.reader(read_text(path).splitlines(), strict=True)
    try:
        rows = [(lines.line_num, [cell.strip() for cell in cells]) for cells in lines]
    except csv.Error as error:
        raise DataError(f'{path}, line {lines.line_num}: {error}') from error
    rows = [(number, cells) for number, cells in rows if any(cells)]
    columns = _header(rows)
    image, word = columns or (0, 1)
    for number, cells in rows[1:] if columns else rows:
        is_whole = len(cells) > max(image, word)
        yield number, *((cells[image], cells[word]) if is_whole else ('', ''))


def _header(rows: list[tuple[int, list[str]]]) -> tuple[int, int] | None:
    """Return the places of image and class where the first line is a header, else None."""
    if not rows:
        return None
    titles = [cell.lower() for cell in rows[0][1]]
    image = next((titles.index(name) for name in IMAGE_COLUMNS if name in titles), None)
    word = next((titles.index(name) for name in CLASS_COLUMNS if name in titles), None)
    if image is not None and word is not None:
        return image, word
    # Titles of other words, above the names of files.
    files = [cells[0].lower().endswith(IMAGE_ENDINGS) for _, cells in rows[:2]]
    return (0, 1) if files == [False, True] else None
