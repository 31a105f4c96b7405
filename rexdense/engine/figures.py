"""The figures of a validation, as the last lines of a run."""

from collections.abc import Mapping

from rexdense.text_table import text_table

__all__ = ['figures_of', 'figures_table']

# What mmengine logs beside the metrics.
_NO_FIGURES = ('data_time', 'memory', 'step', 'time')


def figures_of(row: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics in a logged row, by name."""
    return {name: value for name, value in row.items() if name not in _NO_FIGURES}


def figures_table(figures: Mapping[str, float]) -> str:
    """Return the metrics as a table; a second one has what is measured by class, which is named
    ``dataset/metric/class``."""
    overall, by_class = [['figure', 'value']], [['class', 'AP']]
    for name, value in figures.items():
        parts = name.split('/', 2)
        rows = by_class if len(parts) == 3 else overall
        rows.append([parts[-1], '-' if value != value else f'{value:.3f}'])
    return '\n'.join(text_table(rows) for rows in (overall, by_class) if len(rows) > 1)
