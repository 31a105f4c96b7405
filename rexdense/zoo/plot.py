"""Plot of published top-1 accuracy against the cost of networks."""

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from rexdense.errors import InvalidArgument
from rexdense.files.destinations import check_destination
from rexdense.files.writing import atomic_write
from rexdense.visualization.plots.figures import lay_grid, new_figure
from rexdense.zoo.published import load_published
from rexdense.zoo.table import family_of, zoo_entries

EFFICIENTNET_TABLE = 'clovaai-comparison'


class Style(NamedTuple):
    """Style of a family's markers. The colours are those of Okabe and Ito, and the markers differ.

    Attributes:
        offset: Offset from a point to its label, in points of 1/72 inch.
        labels: The points with labels; None labels all. In crowded families, a label can have its
            own offset, with a line from the point.
    """

    title: str
    colour: str
    marker: str
    offset: tuple[int, int]
    labels: dict[str, tuple[int, int] | None] | None = None
    filled: bool = True


STYLES = {
    'rexnet': Style('ReXNet', '#D55E00', 'o', (-7, 5)),
    'rexnet_lite': Style('ReXNet-lite', '#B8860B', 's', (7, -9)),
    'rexnetr': Style(
        'ReXNet-R (pretrained on ImageNet-12k)', '#D55E00', 'D', (-7, 5), filled=False
    ),
    'efficientnet': Style('EfficientNet (at 224 to 300 px)', '#000000', 'X', (7, -9)),
    'regnetx': Style(
        'RegNetX',
        '#0072B2',
        '^',
        (7, -9),
        dict.fromkeys(('200MF', '400MF', '800MF', '1.6GF', '32GF')),
    ),
    'regnety': Style('RegNetY', '#3A9BD9', 'v', (-7, 5), dict.fromkeys(('200MF', '400MF', '32GF'))),
    'resnext': Style(
        'ResNeXt',
        '#009E73',
        'P',
        (7, -10),
        {
            '50 32x4d': None,
            '101 32x4d': (14, -64),
            '152 32x4d': (10, -42),
            '101 32x8d': (6, -22),
            '101 64x4d': (-12, 26),
        },
    ),
}


class Point(NamedTuple):
    """A network in the plot; ``source`` published its accuracy, in percent."""

    family: str
    label: str
    source: str
    macs: float
    parameters: float
    top1: float


def _label(name: str) -> str:
    """``1.0`` for rexnet_1.0, ``1.6GF`` for regnetx_1.6gf, ``101 64x4d`` for resnext101_64x4d."""
    label = name.removeprefix(family_of(name)).strip('_').replace('_', ' ')
    return label.upper() if label.endswith('f') else label


def plotted_points() -> list[Point]:
    """Return all networks with a published accuracy, and EfficientNet's published numbers.

    torchvision's variants of three RegNets are left out: they would cover their neighbours.
    """
    points = [
        Point(
            family_of(entry.name),
            _label(entry.name),
            entry.published.label,
            entry.measured.macs,
            entry.measured.parameters,
            float(entry.top1),
        )
        for entry in zoo_entries()
        if entry.published and entry.top1 is not None and not entry.name.endswith('_tv')
    ]
    for row in load_published():
        if row.table != EFFICIENTNET_TABLE or row.top1 is None:
            continue
        if row.model.startswith('EfficientNet'):
            macs, parameters = (float(row.numbers[key].value) for key in ('macs', 'parameters'))
            label = row.model.removeprefix('EfficientNet-')
            points.append(
                Point('efficientnet', label, row.label, macs, parameters, float(row.top1))
            )
    return points


def fingerprint(points: Iterable[Point]) -> str:
    """Return a digest of the plot's points for its metadata, to detect an outdated picture."""
    return 'points ' + hashlib.sha256(repr(list(points)).encode()).hexdigest()


def plot_accuracy(path: Path, overwrite: bool = False) -> None:
    """Draw the plot into ``path``, a PNG.

    Args:
        overwrite: Replace an existing file.

    Raises:
        InvalidArgument: ``path`` is not a .png, exists already or cannot be written.
        MissingDependency: matplotlib is not installed.
    """
    if path.suffix.lower() != '.png':
        raise InvalidArgument(f'{path}: the picture is a PNG; give a name that ends in .png')
    check_destination(path, overwrite)
    figure = new_figure(12, 6.4, 'the picture')
    points = plotted_points()
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_panel(left, points, 'macs', 1e9, 'Multiply-accumulates at 224 px (G)')
    _draw_panel(right, points, 'parameters', 1e6, 'Parameters (M)')
    lay_grid(figure)
    left.set_ylabel('Published ImageNet-1k top-1 accuracy (%)')
    handles, titles = left.get_legend_handles_labels()
    figure.legend(handles, titles, loc='outside upper center', ncols=4, frameon=False)
    metadata = {'Description': fingerprint(points), 'Software': None}
    picture = io.BytesIO()
    figure.savefig(picture, dpi=110, metadata=metadata)
    atomic_write(path, picture.getvalue(), overwrite)


def _draw_panel(axes: Any, points: list[Point], quantity: str, scale: float, title: str) -> None:
    """Draw one panel: accuracy against ``quantity`` / ``scale``, on a logarithmic axis."""
    from matplotlib.ticker import LogLocator, NullLocator

    for family, style in STYLES.items():
        members = [point for point in points if point.family == family]
        for source in dict.fromkeys(point.source for point in members):
            published = sorted(
                (getattr(point, quantity) / scale, point.top1, point.label)
                for point in members
                if point.source == source
            )
            axes.plot(
                [cost for cost, _, _ in published],
                [top1 for _, top1, _ in published],
                color=style.colour,
                marker=style.marker,
                markerfacecolor=style.colour if style.filled else 'white',
                markersize=7,
                linewidth=1.2,
                label=style.title if source == members[0].source else None,
            )
            for cost, top1, label in published:
                _write_label(axes, style, label, (cost, top1))
    axes.set_xscale('log')
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda value, _: f'{value:g}')
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(title)
    axes.margins(x=0.12)


def _write_label(axes: Any, style: Style, label: str, point: tuple[float, float]) -> None:
    """Write a point's label beside it, or farther away at the end of a thin line."""
    if style.labels is not None and label not in style.labels:
        return
    away = style.labels[label] if style.labels else None
    offset = away or style.offset
    axes.annotate(
        label,
        point,
        offset,
        textcoords='offset points',
        ha='right' if offset[0] < 0 else 'left',
        color=style.colour,
        fontsize=8,
        arrowprops={'arrowstyle': '-', 'color': style.colour, 'linewidth': 0.6} if away else None,
    )
