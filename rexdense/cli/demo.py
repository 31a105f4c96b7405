"""``rexdense demo``: draw the Shapes data set, train a small model on it, show its predictions."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rexdense.cli import train
from rexdense.cli.options import add_data_options, add_run_options, add_training_options
from rexdense.cli.parser import Parser
from rexdense.cli.pretrain_demo import CLASSIFIER, check_pretraining, compare_pretraining
from rexdense.datasets import make_shapes
from rexdense.engine.work_dir import prepare_work_dir

DATA_ROOT = Path('data/shapes')
DEMOS = {
    'detection': 'faster-rcnn_rexnet-1.0_fpn_demo_shapes',
    'mask': 'mask-rcnn_rexnet-1.0_fpn_demo_shapes',
    'ssdlite': 'ssdlite_rexnet-1.0_160_demo_shapes',
    'unet': 'unet_rexnet-1.0_demo_shapes',
    'pretrain': CLASSIFIER,
}
FIRST = 'detection'
WORK_DIRS = {name: Path('work_dirs') / f'{name}_demo' for name in DEMOS} | {
    FIRST: Path('work_dirs/demo')
}


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    folders = ', '.join(f'{folder} ({name})' for name, folder in WORK_DIRS.items())
    result = Parser(
        prog='rexdense demo',
        usage=f'rexdense demo [{{{",".join(DEMOS)}}}] [options]',
        description='Draw the Shapes data set, unless it exists, and train a small model on it.',
        epilog=f'Without --data-root the set lies in {DATA_ROOT}, without --work-dir the results '
        f'in {folders}.',
    )
    result.add_argument('demo', nargs='?', choices=DEMOS, default=FIRST, help='the model to train')
    for add in (add_data_options, add_training_options, add_run_options):
        add(result)
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the Shapes data set if it does not exist, and train the config of a demo on it.
    'pretrain' also trains two detectors, see
    :func:`rexdense.cli.pretrain_demo.compare_pretraining`.

    Args:
        arguments: One of ``DEMOS``, by default the first, and further options of rexdense train;
            ``--data-root`` sets the folder of the data set.

    Returns:
        The exit status, see :func:`rexdense.cli.train.main`.
    """
    # A wrong option is reported before anything is drawn.
    options = parser().parse_args(arguments)
    options.config = DEMOS[options.demo]
    options.data_root = options.data_root or DATA_ROOT
    options.work_dir = options.work_dir or WORK_DIRS[options.demo]
    pretraining = options.demo == 'pretrain'
    if pretraining:
        check_pretraining(options)
    prepare_work_dir(options.work_dir, may_hold_results=options.resume or options.overwrite)
    if not options.data_root.is_dir():
        make_shapes(options.data_root)
    if pretraining:
        return compare_pretraining(DEMOS['detection'], options)
    return train.run(options)
