"""Confusion matrices as pictures and tables."""

import csv
import io
from collections.abc import Sequence

import numpy as np

from rexdense.visualization.tiles import text_size, write_text

CELL = 32
LONGEST_SIDE = 6400
"""Longest side of the grid in pixels. With more classes the cells are smaller, without names and
numbers."""
LONGEST_NAME = 24
LOWEST_NUMBER = 0.5
"""Lowest percentage that is written in a cell."""

_NUMBER_SIZE, _NAME_SIZE, _TITLE_SIZE = 0.4, 0.45, 0.5
_TITLE_HEIGHT = 26
_GAP = 8
# Colour of a cell with 100 percent.
_FULL = (8, 48, 107)
_LINE = (215, 215, 215)


def draw_confusion(confusion: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Return a picture (H, W, 3), uint8, RGB, of a confusion matrix (C, C) of pixel or image
    counts.

    A row is a class of the truth, in percent of its count. The row of a class without truth is
    empty.
    """
    totals = confusion.sum(1, keepdims=True)
    shares = np.divide(100.0 * confusion, totals, where=totals > 0, out=np.zeros(confusion.shape))
    cell = max(1, min(CELL, LONGEST_SIDE // len(classes)))
    if cell < CELL:
        return _shades(shares).repeat(cell, 0).repeat(cell, 1)
    names = list(map(short_name, classes))
    room = max(_text_width(name, _NAME_SIZE) for name in names) + 2 * _GAP
    grid = _grid(shares)
    start = _TITLE_HEIGHT + room
    title = 'predicted, in percent of the truth'
    side = start + len(grid) + _GAP
    least = start + _text_width(title, _TITLE_SIZE) + _GAP
    picture = np.full((side, max(side, least), 3), 255, np.uint8)
    picture[start : start + len(grid), start : start + len(grid)] = grid
    write_text(picture, title, start, _TITLE_HEIGHT - _GAP, _TITLE_SIZE)
    # Vertical text is written into a picture that is rotated afterwards.
    turned = np.rot90(picture, -1).copy()
    end = turned.shape[1] - start
    write_text(turned, 'truth', end - _text_width('truth', _TITLE_SIZE), 18, _TITLE_SIZE)
    picture = np.rot90(turned).copy()
    for place, name in enumerate(names):
        baseline = start + place * CELL + CELL // 2 + 5
        left = start - _GAP - _text_width(name, _NAME_SIZE)
        write_text(picture, name, left, baseline, _NAME_SIZE)
    turned = np.rot90(picture, -1).copy()
    for place, name in enumerate(names):
        baseline = start + place * CELL + CELL // 2 + 5
        write_text(turned, name, turned.shape[1] - start + _GAP, baseline, _NAME_SIZE)
    return np.rot90(turned).copy()


def confusion_table(confusion: np.ndarray, classes: Sequence[str]) -> str:
    """Return a confusion matrix (C, C) of counts as CSV, with a row per true class and a column per
    predicted class.

    Example:
        >>> print(confusion_table(np.array([[3, 1], [0, 2]]), ('cat', 'dog')).replace('\\r', ''))
        truth,cat,dog
        cat,3,1
        dog,0,2
        <BLANKLINE>
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(['truth', *classes])
    writer.writerows([name, *row] for name, row in zip(classes, confusion.tolist(), strict=True))
    return buffer.getvalue()


def short_name(name: str) -> str:
    """Return a name, shortened at its end if it is too long for a picture."""
    return name if len(name) <= LONGEST_NAME else f'{name[: LONGEST_NAME - 2]}..'


def _shades(shares: np.ndarray) -> np.ndarray:
    """Return a colour (R, G, B), uint8, for each cell: white at 0, dark blue at 100 percent."""
    return np.rint(255 + (shares / 100)[..., None] * (np.array(_FULL) - 255)).astype(np.uint8)


def _grid(shares: np.ndarray) -> np.ndarray:
    """Return the cells in shades of blue with their numbers."""
    grid = np.ascontiguousarray(_shades(shares).repeat(CELL, 0).repeat(CELL, 1))
    grid[::CELL], grid[:, ::CELL] = _LINE, _LINE
    grid[-1], grid[:, -1] = _LINE, _LINE
    for row, column in np.argwhere(shares >= LOWEST_NUMBER):
        text = f'{shares[row, column]:.0f}'
        ink = (255, 255, 255) if shares[row, column] > 50 else (20, 20, 20)
        left = column * CELL + (CELL - _text_width(text, _NUMBER_SIZE)) // 2
        write_text(grid, text, int(left), int(row) * CELL + CELL // 2 + 4, _NUMBER_SIZE, ink)
    return grid


def _text_width(text: str, size: float) -> int:
    return text_size(text, size)[0]
