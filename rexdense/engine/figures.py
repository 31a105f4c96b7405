"""The figures of a validation, as the last lines of a run."""

from collections.abc import Mapping

from rexdense.text_table import text_table

__all__ = ['figures_table']


def figures_table(figures: Mapping[str, float]) -> str:
    """Return the metrics as a table; a second one has what is measured by class."""
    overall = {
        name: value for name, value in figures.items() if '/' in name and name.count('/') == 1
    }
    by_class = {name: value for name, value in figures.items() if name.count('/') > 1}
    rows = [
        ['figure', 'value'],
        *([name.split('/')[-1], _shown(value)] for name, value in overall.items()),
    ]
    tables = [text_table(rows)]
    if by_class:
        rows = [
            ['class', 'AP'],
            *([name.split('/', 2)[-1], _shown(value)] for name, value in by_class.items()),
        ]
        tables.append(text_table(rows))
    return '\n'.join(tables)


def _shown(value: float) -> str:
    return '-' if value != value else f'{value:.3f}'
