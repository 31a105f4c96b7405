"""The program that measures a checkpoint."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process

from rexdense.device import reuse_freed_memory
from rexdense.engine.building import config_faults
from rexdense.engine.command_line import Parser
from rexdense.engine.comparison import differences_sentence
from rexdense.engine.config import load_config
from rexdense.engine.confusion_picture import draw_confusion
from rexdense.engine.data_root import VALIDATION
from rexdense.engine.figures import figures_table
from rexdense.engine.hooks import require_same_classes
from rexdense.engine.options import add_data_options, add_run_options
from rexdense.engine.picture_files import write_picture
from rexdense.engine.prediction_hooks import DrawPredictions, PredictFlippedToo, WritePredictions
from rexdense.engine.runner import Runner
from rexdense.engine.settings import apply_run_options
from rexdense.engine.stride_check import CheckStrides
from rexdense.engine.tasks import task_of
from rexdense.engine.training_file import read_training_file
from rexdense.engine.work_dir import prepare_output_dir, prepare_work_dir
from rexdense.errors import InvalidArgument

__all__ = ['main']

CONFUSION_PICTURE = 'confusion_matrix.png'


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(
        prog='tools/test.py', description='Measure a checkpoint on the validation data of a config.'
    )
    result.add_argument('config', type=Path, help='the config that it was trained with')
    result.add_argument('checkpoint', type=Path, help='a .pth file of tools/train.py')
    result.add_argument(
        '--out',
        type=Path,
        help="file for the detections, in COCO's results format; of segmentors and depth "
        'estimators, folder for the label maps or depth maps',
    )
    result.add_argument('--show-dir', type=Path, help='folder for annotated pictures')
    result.add_argument(
        '--overwrite', action='store_true', help='replace what is in --out and --show-dir'
    )
    result.add_argument(
        '--flip-test',
        action='store_true',
        help='segmentors and depth estimators: take the mean with the mirrored image',
    )
    result.add_argument(
        '--split',
        default=VALIDATION,
        metavar='NAME',
        help='label maps and depth maps: the folder below images/ and labels/ or depth/ that is '
        'measured',
    )
    add_data_options(result)
    add_run_options(result)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a checkpoint's figures; write predictions and pictures where asked to."""
    options = parser().parse_args(arguments)
    reuse_freed_memory()
    config = load_config(options.config)
    file = read_training_file(options.checkpoint)
    keeps_maps = _keeps_maps(config)
    if options.flip_test and not keeps_maps:
        raise InvalidArgument('--flip-test goes with segmentors and depth estimators; leave it out')
    apply_run_options(config, options, training=False, classes=file.classes, split=options.split)
    _check_places(options, keeps_maps)
    differs = differences_sentence(config, file)
    if differs and is_main_process():
        print(differs)
    prepare_work_dir(config.work_dir, may_hold_results=True)
    keep_only_testing(config)
    if options.out and not keeps_maps:
        _write_detections(config, options.out)
    config.load_from = str(options.checkpoint)
    with config_faults():
        runner = Runner.from_cfg(config)
        data = runner.test_dataloader.dataset.metainfo
        require_same_classes(data.get('classes'), file.classes, 'the data', str(options.checkpoint))
        runner.register_hook(CheckStrides())
        task = task_of(config.model, data)
        if options.show_dir and task is not None:
            runner.register_hook(DrawPredictions(options.show_dir, task))
        if options.flip_test:
            runner.register_hook(PredictFlippedToo())
        if options.out and keeps_maps:
            runner.register_hook(WritePredictions(options.out, task))
        try:
            figures = runner.test()
        finally:
            runner.end_workers()
    if runner.rank == 0:
        print(figures_table(figures))
        confusion = _draw_confusion(runner, options.show_dir)
        for path in filter(None, (options.out, options.show_dir, confusion)):
            print(path)


def _keeps_maps(config: Config) -> bool:
    """Return whether the model predicts a map for each image, which a file of its own can hold."""
    task = task_of(config.model, {})
    return task is not None and task.data_folder is not None


def _check_places(options: argparse.Namespace, keeps_maps: bool) -> None:
    """Check that nothing is overwritten unasked, and that results can be written, before minutes go
    into them.

    Raises:
        InvalidArgument: it is not so.
    """
    folders = {'--show-dir': options.show_dir}
    if keeps_maps:
        folders['--out'] = options.out
    elif options.out:
        prepare_output_dir(options.out.parent, 'the folder of --out')
        if options.out.exists() and not options.overwrite:
            raise InvalidArgument(f'{options.out} exists: give another --out, or --overwrite')
    for option, folder in folders.items():
        if folder is None:
            continue
        prepare_output_dir(folder, option)
        if any(folder.iterdir()) and not options.overwrite:
            raise InvalidArgument(f'{folder} is not empty: give another {option}, or --overwrite')


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
    config.resume = False
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


def _draw_confusion(runner: Runner, show_dir: Path | None) -> Path | None:
    """Draw the confusion matrix of the run, if its metric counts one, among the other pictures or
    in the folder of the run's log."""
    for metric in runner.test_evaluator.metrics:
        scores = getattr(metric, 'scores', None)
        if scores is not None:
            picture = draw_confusion(scores.confusion, list(scores.per_class))
            return write_picture((show_dir or Path(runner.log_dir)) / CONFUSION_PICTURE, picture)
    return None
