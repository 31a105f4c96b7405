"""Figures of matplotlib in one style, drawn without a screen."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rexdense.dependencies import needed_packages
from rexdense.visualization.fonts import font_file, written

# The colours of Okabe and Ito (2008) without black, distinguishable with any colour vision.
COLOURS = ('#E69F00', '#56B4E9', '#009E73', '#D55E00', '#CC79A7', '#0072B2')


def new_figure(
    width: float, height: float, purpose: str, layout: str | None = 'constrained', **settings: Any
) -> Any:
    """Return a ``Figure`` of matplotlib with a size in inches, on a pixel canvas.

    Args:
        purpose: What is drawn; the beginning of the message if matplotlib is missing.
        layout, settings: Arguments of the figure.

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
    """Draw a light grid behind the axes of a figure, without a frame."""
    for axes in figure.axes:
        axes.grid(color='#dddddd', linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[['top', 'right']].set_visible(False)
