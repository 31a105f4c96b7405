"""Growth of a backbone's time and memory with the work: image area, batch, larger networks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from rexdense.arch import architecture, list_backbones
from rexdense.benchmark.processes import Peer, run_in_turns
from rexdense.benchmark.report import Kept, figures_of, require_same, result_of
from rexdense.files.writing import atomic_write
from rexdense.models import create_backbone
from rexdense.text_table import text_table
from rexdense.visualization.plots.figures import new_figure
from rexdense.zoo.complexity import Complexity, count_complexity

SIDES = (224, 448, 800, 1333)
BATCHES = (1, 2, 4, 8)
MOST = 1.25
"""Allowed ratio of a pass's time per work to that of the smallest point."""
_LARGEST = 4
"""Networks of the family that are measured, from the one asked for on."""
_PURPOSE = 'drawing growth'


def measure_growth(name: str, threads: int, rounds: int, kept: Kept = None) -> dict[str, Any]:
    """Return the figures of an optimised backbone over images of 224 to 1333 pixels, batches of 1
    to 8, and larger networks of its family, as plain values.

    Each point of ``figures`` has a ``series``, ``macs`` and ``activations``.
    """
    points = _points(name)
    tasks = {
        label: dict(
            kind='backbone',
            framework='rexdense',
            name=network,
            shape=shape,
            threads=threads,
            device='cpu',
            dtype='float32',
            optimized=True,
            allocator='reuse',
        )
        for label, (_, network, shape) in points.items()
    }
    smallest = next(iter(points))
    about = dict(kind='growth', name=name, threads=threads, rounds=rounds)
    require_same(kept, about, smallest, points)
    counts = {label: _count(network, shape) for label, (_, network, shape) in points.items()}
    times, facts, busy = run_in_turns(tasks, Peer(), rounds)
    figures = figures_of(times, facts, smallest)
    for label, own in figures.items():
        own |= dict(
            series=points[label][0],
            macs=counts[label].macs,
            activations=counts[label].activations,
        )
    return result_of(about, busy, smallest, figures)


def _points(name: str) -> dict[str, tuple[str, str, tuple[int, ...]]]:
    """Return (series, network, shape) by label."""
    family = architecture(name).family
    by_work = sorted(
        (each for each in list_backbones() if architecture(each).family == family),
        key=lambda each: _count(each, (1, 3, 224, 224)).macs,
    )
    larger = by_work[by_work.index(name) :][:_LARGEST]
    return (
        {f'{side} x {side}': ('area', name, (1, 3, side, side)) for side in SIDES}
        | {f'batch {batch}': ('batch', name, (batch, 3, 224, 224)) for batch in BATCHES}
        | {each: ('network', each, (1, 3, 448, 448)) for each in larger}
    )


def _count(name: str, shape: tuple[int, ...]) -> Complexity:
    with torch.device('meta'):
        network = create_backbone(name, out_indices=(0, 1, 2, 3, 4))
    return count_complexity(network, shape)


def _cost(own: Mapping[str, Any]) -> float:
    """Return the milliseconds per GMAC."""
    return own['milliseconds'] / (own['macs'] / 1e9)


def faster_than_work(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a line for each point whose time per work exceeds that of the smallest point in its
    series by more than :data:`MOST`."""
    first: dict[str, Mapping[str, Any]] = {}
    lines = []
    for label, own in figures.items():
        smallest = first.setdefault(own['series'], own)
        longer = _cost(own) / _cost(smallest)
        if longer > MOST:
            lines.append(f'a GMAC takes {longer:.2f} times as long at {label}')
    return lines


def growth_table(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the points as a table."""
    rows = [['', 'GMAC', 'ms', 'spread', 'ms a GMAC', 'resident MB']]
    for label, own in figures.items():
        rows.append(
            [
                label,
                f'{own["macs"] / 1e9:.2f}',
                f'{own["milliseconds"]:.1f}',
                f'{own["spread"]:.0%}',
                f'{_cost(own):.1f}',
                f'{own["resident"] / 1e6:.0f}',
            ]
        )
    return text_table(rows)


def require_plots() -> None:
    """Raise MissingDependency where matplotlib is not installed: before minutes of measuring."""
    new_figure(1, 1, _PURPOSE)


def plot_growth(
    figures: Mapping[str, Mapping[str, Any]], path: str | Path, overwrite: bool = False
) -> Path:
    """Plot time against work and memory against activations, with a line per series.

    Raises:
        MissingDependency: matplotlib is not installed.
    """
    figure = new_figure(10, 4.2, _PURPOSE)
    times, memory = figure.subplots(1, 2)
    for series in dict.fromkeys(own['series'] for own in figures.values()):
        points = [own for own in figures.values() if own['series'] == series]
        times.loglog(
            [own['macs'] / 1e9 for own in points],
            [own['milliseconds'] for own in points],
            marker='o',
            label=series,
        )
        memory.plot(
            [own['activations'] * 4 / 1e6 for own in points],
            [own['resident'] / 1e6 for own in points],
            marker='o',
            label=series,
        )
    times.set(xlabel='GMAC', ylabel='milliseconds')
    memory.set(xlabel='outputs of all convolutions, MB', ylabel='resident MB', ylim=(0, None))
    for axes in (times, memory):
        axes.grid(alpha=0.3)
        axes.legend(fontsize='small')
    return atomic_write(path, figure.canvas.print_png, overwrite)
