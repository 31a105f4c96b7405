"""A finished run that the tests of the engine look at."""

import contextlib
import io
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.engine.tiny_run import train_arguments


class Finished(NamedTuple):
    """A run of tools/train.py."""

    work_dir: Path
    checkpoint: Path
    output: str


@pytest.fixture(autouse=True)
def _fresh_mmengine(fresh_mmengine):
    """Every test of the engine leaves mmengine as it was."""


@pytest.fixture(scope='session')
def trained(shapes, tmp_path_factory) -> Finished:
    """One epoch on Shapes; tests must not write there."""
    pytest.importorskip('mmdet')
    from rexdense.engine import train

    work_dir = tmp_path_factory.mktemp('runs') / 'trained'
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        train.main(train_arguments(shapes, work_dir))
    return Finished(work_dir, work_dir / 'epoch_1.pth', output.getvalue())
