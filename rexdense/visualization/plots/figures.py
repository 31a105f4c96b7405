"""Figures of matplotlib in one style, drawn without a screen."""

from typing import Any

from rexdense.dependencies import needed_packages

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


def lay_grid(figure: Any) -> None:
    """Draw a light grid behind the axes of a figure, without a frame."""
    for axes in figure.axes:
        axes.grid(color='#dddddd', linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[['top', 'right']].set_visible(False)
