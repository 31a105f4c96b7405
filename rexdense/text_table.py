"""Tables in aligned plain text."""

import unicodedata
from collections.abc import Sequence


def text_table(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows as lines, with the first column aligned left and the others right.

    Example:
        >>> print(text_table([['class', 'boxes'], ['cell', '12']]))
        class  boxes
        cell      12
    """
    widths = [max(map(_columns, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first, *others = [
            (cell, ' ' * (width - _columns(cell))) for cell, width in zip(row, widths, strict=True)
        ]
        cells = [''.join(first), *(room + cell for cell, room in others)]
        lines.append('  '.join(cells).rstrip())
    return '\n'.join(lines)


def _columns(text: str) -> int:
    """Return the columns of a terminal that a text takes: two for wide letters such as Chinese,
    none for combining accents (Unicode Standard Annex 11)."""
    shown = [letter for letter in text if not unicodedata.combining(letter)]
    return len(shown) + sum(unicodedata.east_asian_width(letter) in 'FW' for letter in shown)
