"""Figures of matplotlib: made without a screen, in one style."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rexdense.dependencies import needed_packages
from rexdense.visualization.fonts import font_file, written

# Okabe and Ito's without black (2008), told apart with any colour vision.
COLOURS = ('#E69F00', '#56B4E9', '#009E73', '#D55E00', '#CC79A7', '#0072B2')


def new_figure(
    width: float, height: float, purpose: str, layout: str | None = 'constrained', **settings: Any
) -> Any:
    """Return matplotlib's ``Figure`` of a size in inches, on a canvas of pixels.

    Args:
        purpose: What is drawn, as the beginning of the message where matplotlib is missing.
        layout, settings: Of the figure.

    Raises:
        MissingDependency: matplotlib is not installed.
    """
    with needed_packages(purpose):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout, **settings)
    FigureCanvasAgg(figure)
    return figure


def plain(name: str) -> str:
    """Return a name as matplotlib writes it: dollar signs are mathematics to it, and a text that
    begins with an underscore is in no legend."""
    name = name if name.isascii() else written(name)
    return (' ' if name.startswith('_') else '') + name.replace('$', r'\$')


def use_fonts(texts: Iterable[Any]) -> None:
    """Let matplotlib write each of its texts in a font that has the characters."""
    for text in texts:
        if not text.get_text().isascii() and (path := font_file(text.get_text())):
            size = text.get_fontsize()
            text.set_fontproperties(Path(path))
            text.set_fontsize(size)


def lay_grid(figure: Any) -> None:
    """Lay a light grid behind what the axes of a figure show, without a frame."""
    for axes in figure.axes:
        axes.grid(color='#dddddd', linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[['top', 'right']].set_visible(False)
