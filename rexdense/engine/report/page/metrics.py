"""The sections with metrics, over all classes and per class."""

import math
from collections.abc import Mapping, Sequence

from rexdense.engine.report.page.markup import Markup, element, joined
from rexdense.engine.report.page.parts import number_cell, table, text_cell
from rexdense.engine.report.run_content import RunContent
from rexdense.evaluation.depth_evaluation import DEPTH_METRICS
from rexdense.evaluation.metrics_table import metrics_of

_LESS_IS_BETTER = {*DEPTH_METRICS, 'calibration_error'} - {'d1', 'd2', 'd3'}


def _values(run: RunContent) -> dict[str, float]:
    """Return the metrics of the best validation, or of the predicted images if none was logged."""
    logged = metrics_of(run.record.best)
    return logged or (run.measured.metrics if run.measured else {})


def metrics_section(runs: Sequence[RunContent]) -> Markup | None:
    """Return the metrics, with the best value of several runs emphasised."""
    found = [
        {name: value for name, value in _values(run).items() if name.count('/') < 2} for run in runs
    ]
    compared = _compared(runs, found)
    if compared is None:
        return None
    said = [
        element('p', f'{run.name} has logged none. {run.measured.said}', class_='soft')
        for run in runs
        if run.measured and not run.record.scalars.validation
    ]
    return joined([*said, compared])


def _compared(runs: Sequence[RunContent], found: Sequence[Mapping[str, float]]) -> Markup | None:
    names = list(dict.fromkeys(name for metrics in found for name in metrics))
    if not names:
        return None
    rows = []
    for name in names:
        values = [metrics.get(name, math.nan) for metrics in found]
        known = [value for value in values if not math.isnan(value)]
        best = (
            (min if name.rpartition('/')[2] in _LESS_IS_BETTER else max)(known)
            if len(runs) > 1 and known
            else None
        )
        rows.append(
            [text_cell(name), *(number_cell(value, best=value == best) for value in values)]
        )
    return table(['metric', *(run.name for run in runs)], rows, sortable=True)


def classes_section(runs: Sequence[RunContent]) -> Markup | None:
    """Return the metrics per class of the best validation, with a column per metric and run."""
    columns: list[tuple[str, Mapping[str, float]]] = []
    for run in runs:
        by_metric: dict[str, dict[str, float]] = {}
        for name, value in _values(run).items():
            parts = name.split('/', 2)
            if len(parts) == 3:
                by_metric.setdefault(parts[1], {})[parts[2]] = value
        for metric, values in by_metric.items():
            columns.append((f'{metric}, {run.name}' if len(runs) > 1 else metric, values))
    names = list(dict.fromkeys(name for _, values in columns for name in values))
    if not names:
        return None
    rows = [
        [text_cell(name), *(number_cell(values.get(name)) for _, values in columns)]
        for name in names
    ]
    return table(['class', *(heading for heading, _ in columns)], rows, sortable=True)
