"""A finished run that the tests of the engine look at."""

import contextlib
import io
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.engine.tiny_run import (
    ROOT,
    SEGMENTATION_CONFIG,
    segmentation_arguments,
    train_arguments,
)
from tests.small_segmentation import write_segmentation


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


@pytest.fixture(scope='session')
def label_maps(tmp_path_factory) -> Path:
    """A folder of four images to train on and two to validate, with label maps."""
    return write_segmentation(tmp_path_factory.mktemp('label_maps') / 'set')


@pytest.fixture(scope='session')
def segmented(label_maps, tmp_path_factory) -> Finished:
    """Two epochs of a U-Net on label maps; tests must not write there."""
    pytest.importorskip('mmseg')
    from rexdense.engine import train

    work_dir = tmp_path_factory.mktemp('runs') / 'segmented'
    output = io.StringIO()
    options = segmentation_arguments(label_maps, work_dir, '--epochs', '2', '--seed', '0')
    with contextlib.redirect_stdout(output):
        train.main([str(ROOT / SEGMENTATION_CONFIG), *options])
    return Finished(work_dir, work_dir / 'epoch_2.pth', output.getvalue())
