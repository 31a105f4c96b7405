"""The program that measures a checkpoint."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.hooks import Hook

from rexdense.device import reuse_freed_memory
from rexdense.engine.building import config_faults
from rexdense.engine.command_line import Parser
from rexdense.engine.config import load_config
from rexdense.engine.drawing import (
    Objects,
    draw_objects,
    picture_name,
    read_picture,
    write_picture,
)
from rexdense.engine.figures import figures_table
from rexdense.engine.hooks import require_same_classes
from rexdense.engine.options import add_data_options, add_run_options
from rexdense.engine.runner import Runner
from rexdense.engine.settings import apply_run_options
from rexdense.engine.training_file import read_training_file
from rexdense.engine.work_dir import prepare_output_dir, prepare_work_dir
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
    result.add_argument(
        '--overwrite', action='store_true', help='replace what is in --out and --show-dir'
    )
    add_data_options(result)
    add_run_options(result)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a checkpoint's COCO figures; write detections and pictures where asked to."""
    options = parser().parse_args(arguments)
    reuse_freed_memory()
    config = load_config(options.config)
    file = read_training_file(options.checkpoint)
    _check_places(options)
    apply_run_options(config, options, training=False, classes=file.classes)
    prepare_work_dir(config.work_dir, may_hold_results=True)
    keep_only_testing(config)
    if options.out:
        _write_detections(config, options.out)
    config.load_from = str(options.checkpoint)
    with config_faults():
        runner = Runner.from_cfg(config)
        classes = runner.test_dataloader.dataset.metainfo.get('classes')
        require_same_classes(classes, file.classes, 'the data', str(options.checkpoint))
        if options.show_dir:
            runner.register_hook(DrawDetections(options.show_dir))
        try:
            figures = runner.test()
        finally:
            runner.end_workers()
    if runner.rank == 0:
        print(figures_table(figures))
        for path in filter(None, (options.out, options.show_dir)):
            print(path)


def _check_places(options: argparse.Namespace) -> None:
    """Check that nothing is overwritten unasked, and that results can be written, before minutes go
    into them.

    Raises:
        InvalidArgument: it is not so.
    """
    if options.out:
        prepare_output_dir(options.out.parent, 'the folder of --out')
        if options.out.exists() and not options.overwrite:
            raise InvalidArgument(f'{options.out} exists: give another --out, or --overwrite')
    if options.show_dir:
        prepare_output_dir(options.show_dir, '--show-dir')
        if any(options.show_dir.iterdir()) and not options.overwrite:
            raise InvalidArgument(
                f'{options.show_dir} is not empty: give another --show-dir, or --overwrite'
            )


def keep_only_testing(config: Config) -> None:
    """Take out of a config what only training needs."""
    for name in (
        'auto_scale_lr',
        'optim_wrapper',
        'param_scheduler',
        'train_cfg',
        'train_dataloader',
        'val_cfg',
        'val_dataloader',
        'val_evaluator',
    ):
        config[name] = None
    # A checkpoint's own weights are the averaged ones where the run averaged.
    config.custom_hooks = [
        hook for hook in config.get('custom_hooks') or [] if hook['type'] != 'EMAHook'
    ]


def _write_detections(config: Config, path: Path) -> None:
    """Make the config's metric write the detections."""
    evaluators = config.test_evaluator
    evaluators = evaluators if isinstance(evaluators, list) else [evaluators]
    writing = [each for each in evaluators if each.get('type') == 'rexdense.CocoMetric']
    if not writing:
        raise InvalidArgument(
            '--out: the config has no rexdense.CocoMetric, which writes detections'
        )
    writing[0].outfile = str(path)


class DrawDetections(Hook):
    """Write a picture of each test image with its detections.

    Args:
        folder: Where the pictures go, named as the images.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def after_test_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """Draw the images of one batch."""
        dataset = runner.test_dataloader.dataset
        images = Path(getattr(dataset, 'data_prefix', {}).get('img', ''))
        for sample in outputs:
            path = Path(sample.img_path)
            # Images of one name in several folders get pictures in several folders.
            below = path.relative_to(images) if path.is_relative_to(images) else Path(path.name)
            objects = Objects.predicted(sample, LOWEST_SCORE_DRAWN)
            picture = read_picture(path, sample.ori_shape)
            drawn = draw_objects(picture, objects, dataset.metainfo['classes'])
            write_picture(self.folder / below.with_name(picture_name(path)), drawn)
