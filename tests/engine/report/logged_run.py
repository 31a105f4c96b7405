"""A work directory as a training leaves it, without a training."""

import json
from pathlib import Path

START = '20260102_030405'
LOG = """2026/01/02 03:04:05 - mmengine - INFO -
------------------------------------------------------------
System environment:
    sys.platform: linux
    PyTorch: 2.13.0+cpu
    PyTorch compiling details: PyTorch built with:
  - GCC 13.3

Runtime environment:
    seed: 7
------------------------------------------------------------

2026/01/02 03:04:05 - mmengine - INFO - Config:
    model: no environment
"""


def training_row(step: int, epoch: int | None = None, **more: float) -> dict:
    place = dict(step=step) if epoch is None else dict(step=step, epoch=epoch)
    return dict(lr=0.01, loss=2.0 / step, time=0.5, data_time=0.1) | place | more


def write_run(
    folder: Path,
    rows: list[dict] | None = None,
    config: str = '',
    name: str = 'mine',
    log: str = LOG,
) -> Path:
    """Write the log, the values and the config of a run, and return its folder."""
    values = folder / START / 'vis_data'
    values.mkdir(parents=True)
    rows = [training_row(10, 1), training_row(20, 2)] if rows is None else rows
    (values / 'scalars.json').write_text(''.join(f'{json.dumps(row)}\n' for row in rows))
    (values / 'config.py').write_text(config)
    (folder / START / f'{START}.log').write_text(log)
    (folder / f'{name}.py').write_text(config)
    return folder
