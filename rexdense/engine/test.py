"""The program that measures a checkpoint."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.hooks import Hook

from rexdense.device import reuse_freed_memory
from rexdense.engine.command_line import Parser
from rexdense.engine.config import load_config
from rexdense.engine.drawing import Objects, draw_objects, read_picture, write_picture
from rexdense.engine.figures import figures_table
from rexdense.engine.runner import Runner, prepare_work_dir
from rexdense.engine.settings import add_data_options, add_run_options, apply_run_options
from rexdense.engine.training_file import read_training_file
from rexdense.errors import InvalidArgument

__all__ = ['main']

LOWEST_SCORE_DRAWN = 0.3


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(
        prog='tools/test.py', description='Measure a checkpoint on the validation data of a config.'
    )
    result.add_argument('config', type=Path, help='the config that it was trained with')
    result.add_argument('checkpoint', type=Path, help='a .pth file of tools/train.py')
    result.add_argument(
        '--out', type=Path, help="file for the detections, in COCO's results format"
    )
    result.add_argument('--show-dir', type=Path, help='folder for annotated pictures')
    result.add_argument('--overwrite', action='store_true', help='replace --out if it is there')
    add_data_options(result)
    add_run_options(result)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a checkpoint's COCO figures; write detections and pictures where asked to."""
    options = parser().parse_args(arguments)
    reuse_freed_memory()
    config = load_config(options.config)
    if options.data_root and not options.classes:
        options.classes = read_training_file(options.checkpoint).classes
    if options.out and options.out.exists() and not options.overwrite:
        raise InvalidArgument(
            f'{options.out} exists: give another --out, or --overwrite to replace it'
        )
    apply_run_options(config, options, training=False)
    prepare_work_dir(config.work_dir, reuse=True)
    keep_only_testing(config)
    if options.out:
        config.test_evaluator.outfile = str(options.out)
    config.load_from = str(options.checkpoint)
    runner = Runner.from_cfg(config)
    if options.show_dir:
        runner.register_hook(DrawDetections(options.show_dir))
    figures = runner.test()
    if runner.rank == 0:
        print(figures_table(figures))
        for path in filter(None, (options.out, options.show_dir)):
            print(path)


def keep_only_testing(config: Config) -> None:
    """Take out of a config what only training needs."""
    for name in (
        'train_dataloader',
        'train_cfg',
        'optim_wrapper',
        'val_dataloader',
        'val_cfg',
        'val_evaluator',
    ):
        config[name] = None
    config.param_scheduler = None
    config.auto_scale_lr = None
    # A checkpoint's own weights are the averaged ones where the run averaged.
    config.custom_hooks = [
        hook for hook in config.get('custom_hooks') or [] if hook['type'] != 'EMAHook'
    ]


class DrawDetections(Hook):
    """Write a picture of each test image with its detections.

    Args:
        folder: Where the pictures go, named as the images.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def after_test_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Draw the images of one batch."""
        classes = runner.test_dataloader.dataset.metainfo['classes']
        for sample in outputs:
            objects = Objects.predicted(sample, LOWEST_SCORE_DRAWN)
            drawn = draw_objects(read_picture(sample.img_path), objects, classes)
            write_picture(self.folder / Path(sample.img_path).name, drawn)
