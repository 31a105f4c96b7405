"""The sections with curves: losses and metrics, time and memory."""

import math
from collections.abc import Callable, Mapping, Sequence

from rexdense.engine.report.page.line_chart import Line, line_chart
from rexdense.engine.report.page.markup import Markup, element, joined
from rexdense.engine.report.run_content import RunContent
from rexdense.visualization.plots.curves import MASKS, drawn_metrics, loss_names

MOST_LOSSES = 6
MEBIBYTE = 'MiB'


def curves_section(runs: Sequence[RunContent]) -> Markup | None:
    """Return losses, learning rate and metrics over the steps. Curves of several runs share
    axes."""
    charts = [_of_rows(runs, 'Loss', ['loss'])]
    if len(runs) == 1 and runs[0].record.scalars.training:
        losses = [name for name in loss_names(runs[0].record.scalars.training) if name != 'loss']
        charts.append(_of_rows(runs, 'Parts of the loss', losses[:MOST_LOSSES]))
    charts.append(_of_rows(runs, 'Learning rate', ['lr']))
    names = _validated(runs)
    if len(runs) == 1:
        charts.append(_of_validation(runs, 'Validation', names))
    else:
        charts += [_of_validation(runs, name, [name]) for name in names]
    return _together(charts)


def _validated(runs: Sequence[RunContent]) -> list[str]:
    """Return the metrics to draw, of all runs."""
    return list(
        dict.fromkeys(
            name
            for run in runs
            if run.record.scalars.validation
            for name in drawn_metrics(run.record.scalars.validation[-1])
        )
    )


def _together(charts: Sequence[Markup | None]) -> Markup | None:
    there = [chart for chart in charts if chart is not None]
    return element('div', *there, class_='charts') if there else None


def _of_rows(runs: Sequence[RunContent], title: str, names: Sequence[str]) -> Markup | None:
    return line_chart(
        title, 'iteration', _lines(runs, names, lambda run: run.record.scalars.training)
    )


def _of_validation(runs: Sequence[RunContent], title: str, names: Sequence[str]) -> Markup | None:
    units = {run.record.unit for run in runs}
    lines = _lines(runs, names, lambda run: run.record.scalars.validation)
    return line_chart(title, ' or '.join(sorted(units)), lines)


def _lines(
    runs: Sequence[RunContent],
    names: Sequence[str],
    rows: Callable[[RunContent], Sequence[Mapping[str, float]]],
) -> list[Line]:
    """Return a line for each run and name."""
    return [
        Line(
            run.name if len(runs) > 1 else name.rpartition('/')[2],
            [(row['step'], row.get(name, math.nan)) for row in rows(run)],
            colour=number if len(runs) > 1 else place,
            dashed=len(runs) == 1 and MASKS in name,
        )
        for number, run in enumerate(runs)
        for place, name in enumerate(names)
    ]


def time_section(runs: Sequence[RunContent]) -> Markup | None:
    """Return the time of steps and the memory of the accelerator."""
    charts = [
        _of_rows(runs, 'Seconds a step', ['time'] if len(runs) > 1 else ['time', 'data_time']),
        _of_rows(runs, f'Memory of the accelerator, {MEBIBYTE}', ['memory']),
    ]
    if len(runs) > 1:
        charts.insert(1, _of_rows(runs, 'Seconds a step spent on waiting for data', ['data_time']))
    drawn = _together(charts)
    if drawn is None:
        return None
    without = [
        run.name for run in runs if not any('memory' in r for r in run.record.scalars.training)
    ]
    said = f'Memory is logged on accelerators alone: {", ".join(without)} ran without.'
    return joined([drawn, element('p', said, class_='soft') if without else None])
