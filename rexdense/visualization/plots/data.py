"""Plots of the counts of a data set."""

from collections.abc import Mapping, Sequence

import numpy as np

from rexdense.visualization.plots.figures import COLOURS, lay_grid, new_figure, plain, use_fonts

MOST_CLASSES = 20
LONGEST_NAME = 24
WIDTH, HEIGHT = 15.0, 4.2
"""In inches of 100 pixels, for up to ten classes."""
_DOTS = 100


def plot_counts(
    counts: Mapping[str, Mapping[str, int]],
    unit: str,
    sides: Mapping[str, Sequence[float]] | None = None,
    objects: Mapping[str, Sequence[int]] | None = None,
) -> np.ndarray:
    """Return a picture (H, W, 3), uint8, RGB, of class shares, object sizes and objects per image,
    in one colour per split.

    Args:
        counts: By split and class.
        unit: What is counted, such as 'objects'.
        sides: By split, the lengths of objects in pixels.
        objects: By split, the number of objects of each image.
    """
    splits = list(counts)
    names, others = _most_frequent(counts)
    height = max(HEIGHT, 1.4 + 0.28 * len(names))
    figure = new_figure(WIDTH, height, 'drawing plots', dpi=_DOTS)
    panels = figure.subplots(1, 3 if sides else 1, squeeze=False)[0]
    _draw_classes(panels[0], counts, names, others, unit)
    if sides:
        from matplotlib.ticker import LogLocator

        lengths = {split: np.array(sides[split], float) for split in splits}
        there = np.concatenate(list(lengths.values()))
        if len(there):
            low, high = there.min(), there.max()
            edges = np.geomspace(max(low, 1), max(high, low * 1.5, 2), 25)
            _draw_shares(panels[1], lengths, edges)
        panels[1].set(xscale='log', title='Sizes of objects', ylabel='share of the objects')
        panels[1].set_xlabel("square root of the box's area, pixels")
        panels[1].xaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
        panels[1].xaxis.set_major_formatter(lambda value, _: f'{value:g}')
        panels[1].xaxis.set_minor_formatter(lambda value, _: '')
        numbers = {split: np.array(objects[split], float) for split in splits}
        most = max((values.max(initial=0) for values in numbers.values()), default=0)
        step = max(1, int(np.ceil((most + 1) / 25)))
        _draw_shares(panels[2], numbers, np.arange(-0.5, most + step + 0.5, step))
        panels[2].set(title='Objects in an image', xlabel='objects', ylabel='share of the images')
        panels[2].xaxis.get_major_locator().set_params(integer=True)
    lay_grid(figure)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()


def _most_frequent(counts: Mapping[str, Mapping[str, int]]) -> tuple[list[str], int]:
    """Return the names of the most frequent classes, and the number of the others."""
    totals: dict[str, int] = {}
    for of_split in counts.values():
        for name, count in of_split.items():
            totals[name] = totals.get(name, 0) + count
    names = sorted(totals, key=lambda name: -totals[name])
    return names[:MOST_CLASSES], max(len(names) - MOST_CLASSES, 0)


def _draw_classes(axes, counts, names: list[str], others: int, unit: str) -> None:
    """Draw a bar for each class and split."""
    from matplotlib.ticker import EngFormatter

    thickness = 0.8 / len(counts)
    for place, (split, of_split) in enumerate(counts.items()):
        values = [of_split.get(name, 0) for name in names]
        rows = np.arange(len(names)) + (place - (len(counts) - 1) / 2) * thickness
        bars = axes.barh(rows, values, thickness, color=COLOURS[place % len(COLOURS)], label=split)
        if max(len(names) * len(counts), 1) <= 36 and max(values, default=0) < 10**6:
            axes.bar_label(bars, padding=2, fontsize=8)
    axes.set_yticks(range(len(names)), [plain(_shortened(name)) for name in names])
    use_fonts(axes.get_yticklabels())
    axes.invert_yaxis()
    axes.margins(x=0.12)
    title = f'{unit.capitalize()} by class' + (f', {others} more classes' if others else '')
    axes.set(title=title, xlabel=unit)
    if max((count for of_split in counts.values() for count in of_split.values()), default=0) > 1e5:
        axes.xaxis.set_major_formatter(EngFormatter(sep=''))
    axes.legend(fontsize='small', loc='lower right')


def _shortened(name: str) -> str:
    """Return a name without its middle, because names often differ at the end."""
    half = LONGEST_NAME // 2 - 1
    return name if len(name) <= LONGEST_NAME else f'{name[:half]}..{name[-half:]}'


def _draw_shares(axes, values: Mapping[str, np.ndarray], edges: np.ndarray) -> None:
    """Draw the outline of a histogram for each split, as shares of the split."""
    for place, (split, numbers) in enumerate(values.items()):
        counts, _ = np.histogram(numbers.clip(edges[0], edges[-1]), edges)
        shares = counts / max(counts.sum(), 1)
        axes.stairs(shares, edges, color=COLOURS[place % len(COLOURS)], label=split, linewidth=1.6)
    axes.legend(fontsize='small')
