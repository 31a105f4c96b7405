"""The curves of a training run: losses, learning rate and metrics over the iterations."""

import re
from pathlib import Path

from rexdense.evaluation.metrics_table import metrics_of
from rexdense.files.writing import atomic_write
from rexdense.visualization.plots.figures import new_figure
from rexdense.visualization.scalars import read_scalars

MASKS = '/segm_'
"""Part of the names of COCO's metrics of masks."""
MOST_METRICS = 3
"""Number of metrics of boxes, of masks, or of anything else."""


def draw_curves(work_dir: str | Path, path: str | Path) -> Path | None:
    """Draw the curves of the runs in a work directory. Return the path of the picture, or None if
    nothing was logged yet. Raise MissingDependency without matplotlib."""
    scalars = read_scalars(work_dir)
    if not scalars.training:
        return None
    # An automatic layout doubles the time.
    figure = new_figure(15, 4.2, 'drawing curves', layout=None)
    places = dict(left=0.045, right=0.99, bottom=0.125, top=0.92, wspace=0.19)
    losses, rates, metrics = figure.subplots(1, 3, gridspec_kw=places)
    steps = [row['step'] for row in scalars.training]
    for name in loss_names(scalars.training):
        losses.plot(
            steps,
            [row.get(name, float('nan')) for row in scalars.training],
            label=name,
            linewidth=2.2 if name == 'loss' else 1.2,
        )
    losses.set(title='Losses', xlabel='iteration', ylim=(0, None))
    losses.legend(fontsize='small')
    rates.plot(steps, [row['lr'] for row in scalars.training], color='tab:green')
    rates.set(title='Learning rate', xlabel='iteration', ylim=(0, None))
    unit = 'epoch' if 'epoch' in scalars.training[-1] else 'iteration'
    _draw_metrics(metrics, scalars.validation, unit)
    for axes in (losses, rates, metrics):
        axes.grid(alpha=0.3)
        for side in ('top', 'right'):
            axes.spines[side].set_visible(False)
    return atomic_write(path, figure.canvas.print_png, overwrite=True)


def loss_names(rows: list[dict]) -> list[str]:
    """Return the names of the losses, with the sum first and numbers in names in numerical
    order."""
    names = [name for name in rows[-1] if 'loss' in name]
    return sorted(
        names,
        key=lambda name: (
            name != 'loss',
            [(part.isdigit(), part.zfill(9)) for part in re.split(r'(\d+)', name)],
        ),
    )


def _draw_metrics(axes, rows: list[dict], unit: str) -> None:
    """Draw the first metrics of the evaluator over epochs or iterations; those of masks are
    dashed."""
    names = drawn_metrics(rows[-1]) if rows else []
    for name in names:
        values = [row.get(name, float('nan')) for row in rows]
        style = '--' if MASKS in name else '-'
        steps = [row['step'] for row in rows]
        axes.plot(steps, values, style, marker='o', label=name.split('/')[-1])
    axes.set(title='Validation', xlabel=unit, ylim=(0, None))
    axes.xaxis.get_major_locator().set_params(integer=True)
    if names:
        axes.legend(fontsize='small', loc='lower right')


def drawn_metrics(row: dict) -> list[str]:
    """Return the first metrics of a validation, and the first metrics of masks if there are any."""
    names = list(metrics_of(row))
    of_masks = [name for name in names if MASKS in name]
    others = [name for name in names if MASKS not in name]
    return others[:MOST_METRICS] + of_masks[:MOST_METRICS]
