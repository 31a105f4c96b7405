"""Plots of a detector's precision-recall curves, and of its errors by kind."""

import io
from collections.abc import Mapping, Sequence

import numpy as np

from rexdense.visualization.confusion import short_name
from rexdense.visualization.plots.figures import COLOURS, lay_grid, new_figure, plain, use_fonts

MOST_CLASSES = 12
"""Number of classes with a curve of their own. With more classes, the best and the worst are drawn,
half of this number each."""
BAR = COLOURS[-1]
PURPOSE = 'drawing curves'


def plot_precision_recall(precision: np.ndarray, classes: Sequence[str], title: str) -> bytes:
    """Return a PNG with two plots. The left one has the precision over recall of each class at an
    IoU of 0.5, the right one the mean over the classes at IoUs from 0.5 to 0.95.

    Args:
        precision: (10, 101, C) from ``CocoEvaluation``; -1 for a class without objects, which is
            left out.
        classes: Class names in the order of ``precision``.
    """
    figure = new_figure(13, 5, PURPOSE)
    by_class, by_overlap = figure.subplots(1, 2)
    recalls = np.linspace(0, 1, precision.shape[1])
    there = [place for place in range(len(classes)) if precision[0, 0, place] > -1]
    areas = {place: precision[0, :, place].mean() for place in there}
    drawn = sorted(there, key=lambda place: -areas[place])
    if len(drawn) > MOST_CLASSES:
        half = MOST_CLASSES // 2
        drawn = [*drawn[:half], *drawn[-half:]]
    for line, place in enumerate(drawn):
        by_class.plot(
            recalls,
            precision[0, :, place],
            '--' if line // len(COLOURS) % 2 else '-',
            color=COLOURS[line % len(COLOURS)],
            linewidth=1.4,
            label=f'{plain(short_name(classes[place]))}  {areas[place]:.3f}',
        )
    if there:
        mean = precision[0][:, there].mean(1)
        label = f'mean of {len(there)}  {mean.mean():.3f}'
        by_class.plot(recalls, mean, color='black', linewidth=2.4, label=label)
        shades = np.linspace(0, 0.8, precision.shape[0])
        for place, shade in enumerate(shades):
            mean = precision[place][:, there].mean(1)
            label = f'{0.5 + 0.05 * place:.2f}  {mean.mean():.3f}'
            by_overlap.plot(recalls, mean, color=str(shade), linewidth=1.4, label=label)
    by_class.set_title(f'{title}, IoU 0.5')
    by_overlap.set_title('mean of the classes, by IoU')
    for axes, heading in ((by_class, 'class, AP50'), (by_overlap, 'IoU, AP')):
        axes.set(xlabel='recall', ylabel='precision', xlim=(0, 1), ylim=(0, 1.02))
        if there:
            place = dict(loc='center left', bbox_to_anchor=(1.0, 0.5))
            use_fonts(axes.legend(title=heading, fontsize=9, **place).get_texts())
    return _png(figure)


def plot_errors(
    gains: Mapping[str, float], counts: Mapping[str, int], score: float, title: str
) -> bytes:
    """Return a PNG with bars for the kinds of errors: left the loss of AP50, right the counts.

    Args:
        gains, counts: ``gains`` and ``counts_above`` of ``DetectionErrors``.
        score: Lowest score of the counted detections.
    """
    figure = new_figure(11, 3.6, PURPOSE)
    headings = f'{title}: AP50 lost', f'number, of score >= {score:g}'
    for axes, values, heading, form in zip(
        figure.subplots(1, 2), (gains, counts), headings, ('{:.3f}', '{:.0f}'), strict=True
    ):
        numbers = np.nan_to_num([values[kind] for kind in values])
        bars = axes.barh(list(values), numbers, color=BAR)
        axes.bar_label(bars, [form.format(number) for number in numbers], padding=3)
        # Leaves room for the numbers beside the bars.
        axes.set_xlim(min(0, 1.2 * numbers.min(initial=0)), 1.2 * max(numbers.max(initial=0), 0.01))
        axes.invert_yaxis()
        axes.set_title(heading)
    return _png(figure)


def _png(figure) -> bytes:
    lay_grid(figure)
    buffer = io.BytesIO()
    figure.canvas.print_png(buffer)
    return buffer.getvalue()
