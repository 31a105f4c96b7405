"""Lists of images and classes as text: ``path label`` or ``path,class`` a line."""

import csv
from collections.abc import Sequence
from pathlib import Path

from rexdense.datasets.classification.file_index import FileIndex
from rexdense.errors import DataError, suggest

__all__ = ['read_image_list']

MOST_NAMED = 3


def read_image_list(
    path: Path, folder: Path, classes: Sequence[str] | None = None
) -> tuple[tuple[str, ...], FileIndex]:
    """Read a list of images with their classes.

    A ``.csv`` file has two columns, the image and its class, with or without a header; any other
    file a path and a class a line, the last blank between them. Where every class is a whole
    number and ``classes`` is not given, the numbers are the labels, from 0; else they are names.

    Args:
        path: The list.
        folder: What its paths are relative to.
        classes: Names in the order of the labels; None takes them from the list, sorted.

    Raises:
        DataError: the list is missing or empty, a line cannot be read, an image is not there, or a
            class is unknown.
    """
    try:
        text = path.read_text(encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or 'it is no UTF-8 text'
        raise DataError(f'{path} cannot be read ({reason})') from error
    rows = list(_rows(text, path))
    if not rows:
        raise DataError(f'{path} lists no image; give a path and a class a line')
    missing = [image for image, _ in rows if not (folder / image).is_file()]
    if missing:
        raise DataError(
            f'{path} lists {len(missing)} of {len(rows)} images that are not in {folder} (first '
            f'{", ".join(missing[:MOST_NAMED])})'
        )
    words = [word for _, word in rows]
    if all(word.isdecimal() for word in words):
        numbers = [int(word) for word in words]
        names = tuple(classes or map(str, range(max(numbers) + 1)))
        beyond = [row for row, number in zip(rows, numbers, strict=True) if number >= len(names)]
        if beyond:
            raise DataError(
                f'{path}: {beyond[0][0]} has the label {beyond[0][1]}, but there are {len(names)} '
                f'classes, 0 to {len(names) - 1}'
            )
        return names, FileIndex([image for image, _ in rows], numbers)
    names = tuple(classes) if classes is not None else tuple(sorted(set(words)))
    places = {name: index for index, name in enumerate(names)}
    unknown = next((word for word in words if word not in places), None)
    if unknown is not None:
        raise DataError(f'{path}: the class {unknown!r} is not known: {suggest(unknown, names)}')
    return names, FileIndex([image for image, _ in rows], [places[word] for word in words])


def _rows(text: str, path: Path):
    """Yield the image and the class of each line."""
    if path.suffix.lower() == '.csv':
        for number, row in enumerate(csv.reader(text.splitlines()), start=1):
            if not row or (number == 1 and '.' not in row[0]):
                continue
            if len(row) < 2:
                raise DataError(f'{path}, line {number}: give an image and its class')
            yield row[0].strip(), row[1].strip()
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith('#'):
            continue
        image, _, word = line.strip().rpartition(' ')
        if not image:
            raise DataError(f'{path}, line {number}: give an image and its class, not {line!r}')
        yield image.strip(), word
