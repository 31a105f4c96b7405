"""Values that a run logged, read back from the files that mmengine's LocalVisBackend leaves."""

import json
from pathlib import Path
from typing import NamedTuple

__all__ = ['Scalars', 'read_scalars']


class Scalars(NamedTuple):
    """The logged rows in the order of time: losses and rates of training, metrics of validation."""

    training: list[dict[str, float]]
    validation: list[dict[str, float]]


def read_scalars(work_dir: str | Path) -> Scalars:
    """Read the rows of all runs in a work directory; a resumed run replaces what it redid."""
    training: dict[tuple[int, int], dict[str, float]] = {}
    validation: dict[tuple[int, int], dict[str, float]] = {}
    for path in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue  # the last line of a run that was killed
            rows = training if 'lr' in row else validation
            # The epoch counts first: another batch size changes the steps that an epoch has.
            place = row.get('epoch', 0), row['step']
            # Rows of an earlier run past this place were trained again.
            for later in [earlier for earlier in rows if earlier > place]:
                del rows[later]
            rows[place] = row
    return Scalars(list(training.values()), list(validation.values()))
