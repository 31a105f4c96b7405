"""The metrics of a validation as tables, for the end of a run."""

from collections.abc import Mapping

from rexdense.text_table import text_table

# Values that mmengine logs beside the metrics.
_NO_METRICS = ('data_time', 'memory', 'step', 'time')
_COLUMN_TITLES = {'bbox_AP': 'AP', 'segm_AP': 'mask AP'}


def metrics_of(row: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics in a logged row, by name."""
    return {name: value for name, value in row.items() if name not in _NO_METRICS}


def metrics_table(metrics: Mapping[str, float]) -> str:
    """Return the metrics as a table. A second table has the metrics per class, named
    ``dataset/metric/class``, with a line per class and a column per metric."""
    overall = [['metric', 'value']]
    by_class: dict[str, dict[str, str]] = {}
    columns: list[str] = []
    for name, value in metrics.items():
        shown = '-' if value != value else f'{value:.3f}'
        parts = name.split('/', 2)
        if len(parts) < 3:
            overall.append([parts[-1], shown])
            continue
        _, metric, class_name = parts
        if metric not in columns:
            columns.append(metric)
        by_class.setdefault(class_name, {})[metric] = shown
    titles = ['class', *(_COLUMN_TITLES.get(metric, metric) for metric in columns)]
    lines = [
        [name, *(row.get(metric, '-') for metric in columns)] for name, row in by_class.items()
    ]
    return '\n'.join(text_table(rows) for rows in (overall, [titles, *lines]) if len(rows) > 1)
