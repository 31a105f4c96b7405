"""Values that a run logged, read back from the files that mmengine's LocalVisBackend leaves."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from rexdense.destinations import reason

_BEYOND_FLOATS = 10**300


class Scalars(NamedTuple):
    """The logged rows in the order of time: losses and rates of training, metrics of validation.

    Attributes:
        damaged: What is said of each line that is no such row and was left out, and of each file
            that cannot be read; the last line of a run that was killed is one.
    """

    training: list[dict[str, float]]
    validation: list[dict[str, float]]
    damaged: tuple[str, ...] = ()


def read_scalars(work_dir: str | Path) -> Scalars:
    """Read the rows of all runs in a work directory; a resumed run replaces what it redid."""
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
            # The epoch counts first: another batch size changes the steps that an epoch has.
            place = row.get('epoch', 0), row['step']
            # Rows of an earlier run past this place, which are the last, were trained again.
            while rows and next(reversed(rows)) > place:
                rows.popitem()
            rows[place] = row
    return Scalars(list(training.values()), list(validation.values()), tuple(damaged))


def _row(line: str) -> dict[str, float] | None:
    """Return the numbers of a logged row, None where the line is none."""
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
    """Whether a value is one that a float holds; losses may be NaN or infinite."""
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) < _BEYOND_FLOATS
    return isinstance(value, float)
