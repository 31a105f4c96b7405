"""Plots of the ranks of features."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rexdense.files.writing import atomic_write
from rexdense.visualization.plots.figures import COLOURS, lay_grid, new_figure

Curve = tuple[Sequence[float], Sequence[float]]
LINES = ('black', *COLOURS)
MARKERS = 'os^Dvx'
PURPOSE = 'drawing ranks'


def plot_block_ranks(
    path: str | Path,
    names: Sequence[str],
    widths: Sequence[int],
    ranks: Sequence[int],
    effective: Sequence[float],
    title: str,
    force: bool = False,
) -> Path:
    """Draw widths, ranks and effective ranks of the blocks, in their order."""
    figure = new_figure(max(7.0, 0.34 * len(names) + 2), 5, PURPOSE)
    axes = figure.subplots()
    places = range(len(names))
    axes.bar(places, widths, color='#dddddd', label='width (channels)')
    axes.plot(places, ranks, 'o-', color=LINES[4], label='rank')
    axes.plot(places, effective, 's-', color=LINES[2], label='effective rank')
    axes.set_xticks(list(places), names, rotation=90, fontsize=8)
    # Widths in one network differ by a factor of a hundred; a log scale shows equal ratios as equal
    # distances.
    axes.set_yscale('log', base=2)
    axes.yaxis.set_major_formatter(lambda value, _: f'{value:g}')
    axes.set(title=title, ylabel='channels')
    axes.legend(loc='upper left')
    lay_grid(figure)
    return atomic_write(path, figure.canvas.print_png, overwrite=force)


def plot_random_layers(
    path: str | Path,
    panels: Mapping[str, Mapping[str, tuple[Curve, Curve]]],
    force: bool = False,
) -> Path:
    """Draw a column per layer, with rank / width above and effective rank / width below, over the
    ratio of input to output channels, and a line per nonlinearity.

    Args:
        panels: By layer and nonlinearity, the two curves, each (ratios, values).
    """
    figure = new_figure(3.4 * len(panels) + 0.6, 6.4, PURPOSE)
    grid = figure.subplots(2, len(panels), sharex=True, sharey=True, squeeze=False)
    for column, (layer, curves) in enumerate(panels.items()):
        for line, (name, pair) in enumerate(curves.items()):
            for row, (ratios, values) in enumerate(pair):
                grid[row][column].plot(
                    ratios,
                    values,
                    color=LINES[line % len(LINES)],
                    marker=MARKERS[line % len(MARKERS)],
                    markersize=4,
                    linewidth=1.2,
                    label=name,
                )
        grid[0][column].set_title(layer, fontsize=10)
        grid[1][column].set_xlabel('input / output channels')
    for row, text in enumerate(('rank / width', 'effective rank / width')):
        grid[row][0].set(ylabel=text, ylim=(0, 1.05))
    grid[1][0].legend(fontsize=8, loc='lower right')
    lay_grid(figure)
    return atomic_write(path, figure.canvas.print_png, overwrite=force)
