"""The demos: draw the Shapes data set, train a small model on it, show what it predicts."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rexdense.cli import train
from rexdense.cli.pretrain_demo import CLASSIFIER, compare_pretraining
from rexdense.datasets import make_shapes

__all__ = ['DEMOS', 'main']

DATA_ROOT = Path('data/shapes')
DEMOS = {
    'detection': Path('configs/rexnet/faster-rcnn_rexnet-1.0_fpn_demo_shapes.py'),
    'mask': Path('configs/rexnet/mask-rcnn_rexnet-1.0_fpn_demo_shapes.py'),
    'unet': Path('configs/unet/unet_rexnet-1.0_demo_shapes.py'),
    'pretrain': CLASSIFIER,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the Shapes data set if it is not there, and train a demo's config on it; of 'pretrain'
    two detectors besides, see :func:`rexdense.cli.pretrain_demo.compare_pretraining`.

    Args:
        arguments: One of ``DEMOS``, the first if none is named, and further options of rexdense
            train; with ``--data-root`` the set lies elsewhere.
    """
    further = list(sys.argv[1:] if arguments is None else arguments)
    name = further.pop(0) if further and further[0] in DEMOS else next(iter(DEMOS))
    work_dir = Path('work_dirs') / ('demo' if name == 'detection' else f'{name}_demo')
    places = ['--data-root', str(DATA_ROOT), '--work-dir', str(work_dir)]
    command = [str(DEMOS[name]), *places, '--overwrite', *further]
    # A mistaken option is told before anything is drawn.
    parsed = train.parser().parse_args(command)
    if not parsed.data_root.is_dir():
        make_shapes(parsed.data_root)
    if name == 'pretrain':
        compare_pretraining(DEMOS['detection'], parsed.data_root, parsed.work_dir, further)
    else:
        train.main(command)
