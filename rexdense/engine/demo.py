"""The demo: draw the Shapes data set, train a small detector on it, show what it predicts."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rexdense.datasets import make_shapes
from rexdense.engine import train

__all__ = ['main']

CONFIG = Path('configs/rexnet/faster-rcnn_rexnet-1.0_fpn_demo_shapes.py')
DATA_ROOT = Path('data/shapes')
WORK_DIR = Path('work_dirs/demo')


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the Shapes data set if it is not there, and train the demo's config on it.

    Args:
        arguments: Further options of tools/train.py.
    """
    further = sys.argv[1:] if arguments is None else arguments
    places = ['--data-root', str(DATA_ROOT), '--work-dir', str(WORK_DIR)]
    command = [str(CONFIG), *places, '--overwrite', *further]
    # A mistaken option is told before anything is drawn.
    train.parser().parse_args(command)
    make_shapes(DATA_ROOT)
    train.main(command)
