"""Parts of sections: tables, pictures, and columns of runs."""

import base64
import math
from collections.abc import Mapping, Sequence

from rexdense.engine.report.page.markup import Markup, element

_KINDS = {b'\x89PNG': 'png', b'\xff\xd8\xff': 'jpeg'}
"""Kinds of pictures by the first bytes of their files."""


def table(
    headings: Sequence[object], rows: Sequence[Sequence[Markup]], sortable: bool = False
) -> Markup:
    """Return a table.

    Args:
        rows: Rows of cells, see :func:`number_cell` and :func:`text_cell`.
        sortable: Whether a click on a heading sorts the rows by that column.
    """
    heads = [
        element('th', element('button', each, type='button') if sortable else each, scope='col')
        for each in headings
    ]
    parts = (
        element('thead', element('tr', *heads)),
        element('tbody', *(element('tr', *row) for row in rows)),
    )
    return element('div', element('table', *parts), class_='scrolled')


def text_cell(content: object) -> Markup:
    """Return a cell with text."""
    return element('td', content)


def number_cell(value: float | None, best: bool = False) -> Markup:
    """Return a cell with a number; None and NaN are shown as a dash.

    Args:
        best: Whether it is emphasised.
    """
    there = value is not None and not math.isnan(value)
    shown = f'{value:.3f}' if there else '-'
    return element(
        'td',
        shown,
        class_='number best' if best else 'number',
        data_value=value if there else 'NaN',
    )


def picture(content: bytes, caption: str) -> Markup:
    """Return a picture embedded in the page, which a click enlarges, with its caption.

    Args:
        content: Content of a PNG or JPEG file.
    """
    kind = next((kind for start, kind in _KINDS.items() if content.startswith(start)), None)
    if kind is None:
        return element('p', f'{caption}: the file is damaged', class_='soft')
    source = f'data:image/{kind};base64,{base64.b64encode(content).decode()}'
    button = element('button', element('img', src=source, alt=caption), type='button')
    return element('figure', button, element('figcaption', caption), class_='picture')


def by_run(columns: Mapping[str, Markup | None]) -> Markup | None:
    """Return the contents of runs side by side, with their names above if there are several. None
    if there is no content."""
    there = {name: column for name, column in columns.items() if column is not None}
    if not there:
        return None
    if len(columns) == 1:
        return next(iter(there.values()))
    return element(
        'div',
        *(element('div', element('h3', name), column) for name, column in there.items()),
        class_='runs',
    )
