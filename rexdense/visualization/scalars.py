"""Logged values of runs, read from the files of mmengine's LocalVisBackend."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from rexdense.files.destinations import reason

_BEYOND_FLOATS = 10**300


class Scalars(NamedTuple):
    """The logged rows in order of time: losses and learning rates of training, metrics of
    validation.

    Attributes:
        damaged: A message for each line that is not such a row and was left out, such as the last
            line of a killed run, and for each file that cannot be read.
    """

    training: list[dict[str, float]]
    validation: list[dict[str, float]]
    damaged: tuple[str, ...] = ()


def read_scalars(work_dir: str | Path) -> Scalars:
    """Read the rows of all runs in a work directory. The rows of a resumed run replace those of the
    steps that it repeated."""
    training: dict[tuple[int, int], dict[str, float]] = {}
    validation: dict[tuple[int, int], dict[str, float]] = {}
    damaged = []
    for path in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        try:
            lines = path.read_text(errors='replace').splitlines()
        except OSError as error:
            damaged.append(f'{path} cannot be read ({reason(error)})')
            continue
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            row = _row(line)
            if row is None:
                damaged.append(f'{path}: line {number} is no row of values')
                continue
            rows = training if 'lr' in row else validation
            # Compares epochs first, because another batch size changes the number of steps per
            # epoch.
            place = row.get('epoch', 0), row['step']
            # The last rows, which are after this place, are from an earlier run and were trained
            # again.
            while rows and next(reversed(rows)) > place:
                rows.popitem()
            rows[place] = row
    return Scalars(list(training.values()), list(validation.values()), tuple(damaged))


def _row(line: str) -> dict[str, float] | None:
    """Return the numbers of a logged row; None if the line is not a row."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    numbers = {name: value for name, value in row.items() if _is_number(value)}
    place = [numbers[name] for name in ('step', 'epoch') if name in numbers]
    return numbers if 'step' in numbers and all(map(_is_whole, place)) else None


def _is_whole(value: float) -> bool:
    return float(value).is_integer() and abs(value) < _BEYOND_FLOATS


def _is_number(value: Any) -> bool:
    """Return whether a value is a number in the range of floats; losses may be NaN or infinite."""
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) < _BEYOND_FLOATS
    return isinstance(value, float)
