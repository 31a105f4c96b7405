"""Line charts as SVG."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rexdense.engine.report.page.markup import Markup, element, joined

# Those colours of Okabe and Ito (2008), distinguishable with any colour vision, that are visible on
# white and on black.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
WIDTH, HEIGHT = 480, 270
LEFT, RIGHT, TOP, BOTTOM = 52, 22, 30, 38
LARGEST, SMALLEST = 1e300, 1e-300
"""Values beyond are drawn at this limit; axes do not extend further."""
MOST_POINTS = 500
"""Largest number of points of a line. Of more, every second, third ... and the last are drawn."""
MOST_MARKED = 60
"""Largest number of points of a line with marks that show their values."""
TICKS = 5


class Line(NamedTuple):
    """A line of a chart.

    Attributes:
        name: Name in the legend.
        points: (x, y); y is NaN or infinite if there is no value.
        colour: Index into ``COLOURS``, which repeat.
        dashed: Whether it is drawn dashed.
    """

    name: str
    points: Sequence[tuple[float, float]]
    colour: int = 0
    dashed: bool = False


def line_chart(title: str, unit: str, lines: Sequence[Line]) -> Markup | None:
    """Return a figure whose vertical axis starts at 0, or at the lowest value if that is negative.
    None without a value.

    Args:
        unit: Unit of the horizontal axis.
    """
    lines = [line._replace(points=[(x, _within(y)) for x, y in line.points]) for line in lines]
    kept = [line for line in lines if any(math.isfinite(y) for _, y in line.points)]
    if not kept:
        return None
    values = [y for line in kept for _, y in line.points if math.isfinite(y)]
    places = [x for line in kept for x, _ in line.points]
    rows, columns = _ticks(min(0.0, *values), max(values)), _ticks(min(places), max(places))
    if all(isinstance(place, int) or float(place).is_integer() for place in places):
        columns = [tick for tick in columns if float(tick).is_integer()]
    axes = _Axes(columns[0], max(columns[-1], max(places)), rows[0], rows[-1])
    parts = [element('text', title, x=WIDTH / 2, y=18, class_='title')]
    for tick in rows:
        y = axes.down(tick)
        parts.append(element('line', x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_='grid'))
        parts.append(element('text', f'{tick:.4g}', x=LEFT - 6, y=y + 4, class_='row'))
    for tick in columns:
        x = axes.across(tick)
        parts.append(element('text', f'{tick:.6g}', x=x, y=HEIGHT - BOTTOM + 16, class_='column'))
    parts.append(element('text', unit, x=(LEFT + WIDTH) / 2, y=HEIGHT - 6, class_='column'))
    for number, line in enumerate(kept):
        parts.append(_drawn(line, axes, number))
    drawing = element('svg', *parts, viewBox=f'0 0 {WIDTH} {HEIGHT}', role='img', aria_label=title)
    legend = element('figcaption', *(_legend(line, number) for number, line in enumerate(kept)))
    return element('figure', drawing, legend, class_='chart')


def _within(y: float) -> float:
    if not math.isfinite(y):
        return y
    return 0.0 if abs(y) < SMALLEST else max(-LARGEST, min(y, LARGEST))


class _Axes(NamedTuple):
    first: float
    last: float
    lowest: float
    highest: float

    def across(self, x: float) -> float:
        return _placed(x, self.first, self.last, LEFT, WIDTH - RIGHT)

    def down(self, y: float) -> float:
        return _placed(y, self.lowest, self.highest, HEIGHT - BOTTOM, TOP)


def _placed(value: float, least: float, most: float, start: float, end: float) -> float:
    share = (value - least) / (most - least) if most > least else 0.5
    return round(start + share * (end - start), 1)


def _ticks(least: float, most: float) -> list[float]:
    """Return round numbers around a range, about ``TICKS`` of them."""
    if most <= least:
        most = least + (abs(least) or 1)
    exponent = math.floor(math.log10((most - least) / TICKS))
    sizes = (factor * 10.0 ** (exponent + more) for more in (0, 1) for factor in (1, 2, 5))
    size = next(size for size in sizes if (most - least) / size <= TICKS + 1)
    first, last = math.floor(least / size), math.ceil(most / size - 1e-9)
    return [float(f'{number * size:.10g}') for number in range(first, last + 1)]


def _drawn(line: Line, axes: _Axes, number: int) -> Markup:
    every = -(-len(line.points) // MOST_POINTS)
    points = [*line.points[:-1:every], line.points[-1]]
    colour = COLOURS[line.colour % len(COLOURS)]
    dashes = '6 4' if line.dashed else None
    parts = [
        element('polyline', points=' '.join(piece), stroke=colour, stroke_dasharray=dashes)
        for piece in _pieces(points, axes)
    ]
    if len(points) <= MOST_MARKED:
        parts += [
            element(
                'circle',
                element('title', f'{line.name}: {y:.4g} at {x:g}'),
                cx=axes.across(x),
                cy=axes.down(y),
                r=3,
                fill=colour,
            )
            for x, y in points
            if math.isfinite(y)
        ]
    return element('g', joined(parts), data_line=number)


def _pieces(points: Sequence[tuple[float, float]], axes: _Axes) -> Iterator[list[str]]:
    """Yield the parts of a line between points without a value."""
    piece: list[str] = []
    for x, y in points:
        if math.isfinite(y):
            piece.append(f'{axes.across(x)},{axes.down(y)}')
        elif piece:
            yield piece
            piece = []
    if piece:
        yield piece


def _legend(line: Line, number: int) -> Markup:
    """Return the name of a line beside its colour. The script of a page can use it to hide the
    line."""
    swatch = element(
        'svg',
        element(
            'line',
            x1=0,
            x2=22,
            y1=6,
            y2=6,
            stroke=COLOURS[line.colour % len(COLOURS)],
            stroke_dasharray='6 4' if line.dashed else None,
        ),
        viewBox='0 0 22 12',
        class_='swatch',
    )
    return element(
        'button', swatch, line.name, type='button', data_line=number, aria_pressed='true'
    )
