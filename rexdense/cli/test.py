"""``rexdense test``: measure a checkpoint on the validation data."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process

from rexdense.cli.model_options import add_optimize_option, add_runtime_option
from rexdense.cli.options import add_data_options, add_run_options
from rexdense.cli.parser import Parser
from rexdense.deploy.runtimes import device_of_runtime
from rexdense.device import as_process_lost, reuse_freed_memory
from rexdense.engine.config.apply import apply_run_options
from rexdense.engine.config.checks.faults import config_faults
from rexdense.engine.config.comparison import differences_sentence
from rexdense.engine.config.data_root import VALIDATION
from rexdense.engine.config.load import as_list, load_config
from rexdense.engine.config.pretrained import use_normalisation
from rexdense.engine.data_places import DataPlaces, refuse_data_places, sample_files
from rexdense.engine.hooks.classes import require_same_classes
from rexdense.engine.hooks.predictions import (
    DrawPredictions,
    OptimizeModel,
    PredictFlippedToo,
    UseRuntime,
    WritePredictions,
    places_of_samples,
)
from rexdense.engine.hooks.strides import CheckStrides
from rexdense.engine.report.metric_files import METRIC_FILES, write_metric_files
from rexdense.engine.runner import Runner
from rexdense.engine.trained.file import TrainingFile, read_training_file
from rexdense.engine.trained.flips import flip_directions
from rexdense.engine.work_dir import prepare_work_dir
from rexdense.errors import InvalidArgument
from rexdense.evaluation.metrics_table import metrics_table
from rexdense.files.destinations import check_destination, prepare_output_dir
from rexdense.tasks import Classification, Task, task_of
from rexdense.tasks.detection import LOWEST_SCORE
from rexdense.tasks.prediction_files import data_renames
from rexdense.visualization.picture_files import picture_name

WRITING_METRICS = ('rexdense.CocoMetric', 'rexdense.ClassificationMetric')


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(
        prog='rexdense test',
        description='Evaluate a checkpoint on the validation data of a config.',
    )
    result.add_argument(
        'config',
        type=Path,
        help='the config of its training: a file, or a name of rexdense configs',
    )
    result.add_argument('checkpoint', type=Path, help='a .pth file of rexdense train')
    result.add_argument(
        '--out',
        type=Path,
        help="file for the detections, in COCO's results format, or for the classes of the images; "
        'segmentors and depth estimators: folder for the label maps or depth maps',
    )
    result.add_argument('--show-dir', type=Path, help='folder for annotated pictures')
    result.add_argument(
        '--overwrite', action='store_true', help='replace the content of --out and --show-dir'
    )
    result.add_argument(
        '--flip-test',
        action='store_true',
        help='average the predictions of the image and its mirror image; detectors: fuse the '
        'objects found in the image and in its flips of the training. Not for classifiers',
    )
    result.add_argument(
        '--split',
        default=VALIDATION,
        metavar='NAME',
        help='label maps and depth maps: the folder to measure, below images/ and labels/ or '
        'depth/; classifiers: the folder of classes, or train or test of a published set',
    )
    add_optimize_option(result)
    add_runtime_option(result)
    add_data_options(result)
    add_run_options(result)
    return result


@as_process_lost()
def main(arguments: Sequence[str] | None = None) -> None:
    """Print the metrics of a checkpoint; write predictions and pictures if requested."""
    options = parser().parse_args(arguments)
    reuse_freed_memory()
    if options.runtime is not None:
        options.device = device_of_runtime(options.runtime, options.device)
    config = load_config(options.config)
    file = read_training_file(options.checkpoint)
    keeps_maps = _keeps_maps(config)
    if options.flip_test and isinstance(task_of(config.model, {}), Classification):
        raise InvalidArgument('--flip-test does not go with classifiers; leave it out')
    # As in rexdense predict, whatever config was given.
    directions = file.flips() or flip_directions(config.get('train_dataloader'))
    places = _prepare(config, options, file, keeps_maps)
    with config_faults():
        runner = Runner.from_cfg(config)
        data = runner.test_dataloader.dataset.metainfo
        require_same_classes(data.get('classes'), file.classes, 'the data', str(options.checkpoint))
        if options.runtime is not None:
            runner.register_hook(UseRuntime(options.runtime, options.checkpoint))
        elif not options.no_optimize:
            runner.register_hook(OptimizeModel())
        runner.register_hook(CheckStrides())
        task = task_of(config.model, data)
        if options.flip_test:
            runner.register_hook(PredictFlippedToo(directions))
        _write_for_each_image(runner, options, task, keeps_maps, places)
        try:
            metrics = runner.test()
        finally:
            runner.end_workers()
    if runner.rank == 0:
        _print_results(runner, metrics, options)


def _prepare(
    config: Config, options: argparse.Namespace, file: TrainingFile, keeps_maps: bool
) -> DataPlaces:
    """Change a config for an evaluation, after a check that the results may be written. Return the
    places of its data."""
    apply_run_options(config, options, training=False, classes=file.classes, split=options.split)
    places = DataPlaces.of(config, options.checkpoint)
    _check_places(options, keeps_maps, places)
    told = []
    if not any(key.startswith('model.data_preprocessor') for key in options.cfg_options or ()):
        told.append(use_normalisation(config, file.normalisation()))
    told.append(differences_sentence(config, file))
    if is_main_process():
        print(*filter(None, told), sep='\n', end='\n' if any(told) else '')
    refuse_data_places(config, False, options.checkpoint, training=False)
    prepare_work_dir(config.work_dir, True)
    keep_only_testing(config)
    for section in as_list(config.test_evaluator):
        if section.get('type') == 'rexdense.CocoMetric':
            section.setdefault('analysis', LOWEST_SCORE)
    if options.out and not keeps_maps:
        _write_one_file(config, options.out)
    config.load_from = str(options.checkpoint)
    return places


def _print_results(runner: Runner, metrics: dict[str, float], options: argparse.Namespace) -> None:
    """Write the tables and pictures of the metrics; print the metrics and all paths."""
    print(metrics_table(metrics))
    folder = options.show_dir or Path(runner.log_dir)
    files = [
        path
        for metric in runner.test_evaluator.metrics
        for path in write_metric_files(metric, folder, options.overwrite)
    ]
    for path in filter(None, (options.out, options.show_dir, *files)):
        print(path)


def _keeps_maps(config: Config) -> bool:
    """Return whether the model predicts a map for each image, which is written to a file of its
    own."""
    task = task_of(config.model, {})
    return task is not None and task.data_folder is not None


def _write_for_each_image(
    runner: Runner,
    options: argparse.Namespace,
    task: Task | None,
    keeps_maps: bool,
    places: DataPlaces,
) -> None:
    """Make the run write the requested files and pictures of single images. Raise InvalidArgument
    if one would replace an input or another result."""
    dataset, files = runner.test_dataloader.dataset, {}
    if options.show_dir and task is not None:
        files['--show-dir'] = places_of_samples(
            dataset, options.show_dir, [picture_name], METRIC_FILES
        )
        runner.register_hook(DrawPredictions(files['--show-dir'], task))
    if options.out and keeps_maps:
        renames = data_renames(task.data_ending)
        files['--out'] = places_of_samples(dataset, options.out, renames)
        runner.register_hook(WritePredictions(files['--out'], task))
    if not files:
        return
    places.files.extend(map(Path, sample_files(dataset)))
    for option, by_image in files.items():
        places.refuse(by_image.values(), option)
    real = [set(map(os.path.realpath, by_image.values())) for by_image in files.values()]
    if len(real) == 2 and not real[0].isdisjoint(real[1]):
        raise InvalidArgument(
            f'--show-dir {options.show_dir} and --out {options.out} would have files of the same '
            'names: give two folders'
        )


def _check_places(options: argparse.Namespace, keeps_maps: bool, places: DataPlaces) -> None:
    """Raise InvalidArgument, before minutes of work, if results would overwrite something without
    permission or cannot be written."""
    folders = {'--show-dir': options.show_dir}
    if keeps_maps:
        folders['--out'] = options.out
    elif options.out:
        places.refuse([options.out], '--out')
        prepare_output_dir(options.out.parent, 'the folder of --out')
        check_destination(options.out, options.overwrite)
    for option, folder in folders.items():
        if folder is None:
            continue
        places.refuse([folder / name for name in METRIC_FILES], option)
        prepare_output_dir(folder, option)
        if any(folder.iterdir()) and not options.overwrite:
            raise InvalidArgument(f'{folder} is not empty: give another {option}, or --overwrite')


def keep_only_testing(config: Config) -> None:
    """Remove what only training needs from a config."""
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
    # The weights of a checkpoint are the EMA if the run kept one.
    config.custom_hooks = [
        hook for hook in config.get('custom_hooks') or [] if hook['type'] != 'EMAHook'
    ]


def _write_one_file(config: Config, path: Path) -> None:
    """Make the metric of the config write the predictions for all images."""
    sections = as_list(config.test_evaluator)
    writing = [each for each in sections if each.get('type') in WRITING_METRICS]
    if not writing:
        raise InvalidArgument(
            f'--out: the config has none of {", ".join(WRITING_METRICS)}, which write predictions'
        )
    writing[0].outfile = str(path)
