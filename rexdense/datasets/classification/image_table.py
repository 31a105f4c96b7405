"""Tables of images and classes: CSV files as written by Kaggle, pandas and spreadsheets."""

import csv
from collections.abc import Iterator
from pathlib import Path

from rexdense.datasets.images.folders import IMAGE_ENDINGS
from rexdense.datasets.text_files import MOST_LIST_BYTES, read_text
from rexdense.errors import DataError

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
"""Names of columns, in lower case; those of Kaggle's ImageNet are among them."""

_SHARES = {'0': 0, '0.0': 0, '1': 1, '1.0': 1}
MOST_NAMED = 5


def read_table(path: Path, delimiter: str = ',') -> Iterator[tuple[int, str, str]]:
    """Yield the line number, image and class of each line; '' for a missing value. Raise DataError
    if the file cannot be read, or if its columns are ambiguous.

    The columns are found by the header, or are the only two. Several columns, none of which has a
    title for classes, are read as one-hot: one column per class, named by the header, with a single
    1 in each line. If the first line has no comma, the separator is the semicolon, which
    spreadsheets write in languages with a decimal comma.
    """
    written = read_text(path, MOST_LIST_BYTES).splitlines()
    first = next(filter(str.strip, written), '')
    if delimiter == ',' and ',' not in first and ';' in first:
        delimiter = ';'
    lines = csv.reader(written, strict=True, delimiter=delimiter)
    try:
        rows = [(lines.line_num, [cell.strip() for cell in cells]) for cells in lines]
    except csv.Error as error:
        raise DataError(f'{path}, line {lines.line_num}: {error}') from error
    rows = [(number, cells) for number, cells in rows if any(cells)]
    if not rows:
        return
    header = rows[0][1] if _is_header([cells for _, cells in rows[:2]]) else None
    titles = [cell.lower() for cell in header or rows[0][1]]
    image = _column(titles, IMAGE_COLUMNS) or 0
    word = _column(titles, CLASS_COLUMNS) if header else None
    others = [place for place in range(len(titles)) if place != image]
    rows = rows[1:] if header else rows
    if word is None and len(others) > 1:
        yield from _one_hot(path, rows, image, others, header)
        return
    word = (others or [1])[0] if word is None else word
    for number, cells in rows:
        is_whole = len(cells) > max(image, word)
        yield number, *((cells[image], cells[word]) if is_whole else ('', ''))


def _column(titles: list[str], known: tuple[str, ...]) -> int | None:
    return next((titles.index(name) for name in known if name in titles), None)


def _is_header(first: list[list[str]]) -> bool:
    """Whether the first of two lines is a header: it has known titles, or other words above a file
    name."""
    titles = [cell.lower() for cell in first[0]]
    if any(title.endswith(IMAGE_ENDINGS) for title in titles):
        return False
    if _column(titles, IMAGE_COLUMNS) is not None:
        return True
    return len(first) > 1 and first[1][0].lower().endswith(IMAGE_ENDINGS)


def _one_hot(
    path: Path,
    rows: list[tuple[int, list[str]]],
    image: int,
    columns: list[int],
    header: list[str] | None,
) -> Iterator[tuple[int, str, str]]:
    """Yield the rows of a table with one column per class."""
    shares = [
        [_SHARES.get(cells[place]) if place < len(cells) else None for place in columns]
        for _, cells in rows
    ]
    titles = [header[place] for place in columns] if header else []
    if not header or any(None in row for row in shares):
        named = ', '.join(titles[:MOST_NAMED]) or 'without titles'
        raise DataError(
            f'{path} has {len(columns)} columns beside the images ({named}) and none is known to '
            f'be the class: give that one the title {CLASS_COLUMNS[0]!r}, or leave the others out'
        )
    for (number, cells), row in zip(rows, shares, strict=True):
        if sum(row) != 1:
            raise DataError(
                f'{path}, line {number}: {sum(row)} of its {len(row)} columns of classes hold a 1; '
                'an image has one class'
            )
        yield number, cells[image] if image < len(cells) else '', titles[row.index(1)]
