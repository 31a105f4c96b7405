"""``rexdense train``: train a model of a config."""

import argparse
import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process

from rexdense.cli.options import add_data_options, add_run_options, add_training_options
from rexdense.cli.parser import Parser
from rexdense.datasets.skipping import skipped_images, skipped_sentence
from rexdense.device import as_process_lost, bare_model, note_begun, reuse_freed_memory
from rexdense.engine.config.apply import apply_run_options, apply_training_options
from rexdense.engine.config.checks.agreement import require_agreement
from rexdense.engine.config.checks.faults import config_faults
from rexdense.engine.config.load import load_config
from rexdense.engine.data_places import refuse_data_places
from rexdense.engine.hooks.classes import CheckClasses
from rexdense.engine.hooks.images import CheckImages, ReportSkippedImages
from rexdense.engine.hooks.many_objects import TellOfManyObjects
from rexdense.engine.hooks.non_finite_loss import StopOnNonFiniteLoss
from rexdense.engine.hooks.strides import CheckStrides
from rexdense.engine.prediction_sheet import draw_prediction_sheet
from rexdense.engine.report.closing_line import best_checkpoint, closing_line
from rexdense.engine.report.dry_run import FirstSteps, StepsDone, dry_run_lines
from rexdense.engine.report.trackers import without_trackers
from rexdense.engine.resume.checkpoints import newest_checkpoint
from rexdense.engine.resume.choice import choose_resumed
from rexdense.engine.resume.stopping import RunStopped
from rexdense.engine.runner import Runner
from rexdense.engine.trained.file import read_training_file
from rexdense.engine.work_dir import (
    CURVES,
    SHEET,
    RemoveEarlierRuns,
    RequireAlone,
    alone_in,
    prepare_work_dir,
    remove_unfinished,
    written_names,
)
from rexdense.errors import MissingDependency
from rexdense.evaluation.metrics_table import metrics_of, metrics_table
from rexdense.files.writing import scratch_folder
from rexdense.visualization.plots.curves import draw_curves
from rexdense.visualization.scalars import read_scalars


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(prog='rexdense train', description='Train a model of a config file.')
    result.add_argument('config', type=Path, help='a file, or a name of rexdense configs')
    for add in (add_data_options, add_training_options, add_run_options):
        add(result)
    result.add_argument(
        '--dry-run',
        action='store_true',
        help='build everything, make the first steps, print their time and memory, and end; no '
        'file is kept or replaced',
    )
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as requested on the command line; write checkpoints, logs, curves and a sheet of
    predictions.

    Returns:
        The exit status: 0, or that of a run stopped by a signal, see
            :class:`rexdense.engine.resume.stopping.RunStopped`.
    """
    return run(parser().parse_args(arguments))


@as_process_lost()
def run(options: argparse.Namespace) -> int:
    """Train with parsed options, see :func:`main`; return the exit status.

    Args:
        options: Options of rexdense train; others are ignored.
    """
    reuse_freed_memory()
    config = load_config(options.config)
    device = apply_run_options(config, options, training=True)
    apply_training_options(config, options, device)
    resuming, named = options.resume or config.get('resume'), config.get('load_from')
    said = choose_resumed(config, options) if resuming else ''
    require_agreement(config)
    refuse_data_places(config, removes=options.overwrite and not resuming)
    # The demos always train to the end and have no such option.
    if getattr(options, 'dry_run', False):
        _tell(said)
        return try_out(config)
    prepare_work_dir(config.work_dir, resuming or options.overwrite, written_names(config.filename))
    # Only the first of several processes writes there.
    with alone_in(config.work_dir) if is_main_process() else contextlib.nullcontext():
        if is_main_process():
            if resuming:
                # A run that was about to end there has saved in the meantime.
                config.load_from = named
                said = choose_resumed(config, options)
            _tell(said)
            remove_unfinished(config.work_dir, written_names(config.filename))
            note_begun(config.work_dir)
        return train(config, replace=options.overwrite and not resuming)


def _tell(said: str) -> None:
    if said and is_main_process():
        print(said)


def train(config: Config, replace: bool = False) -> int:
    """Train and validate, draw the results, and print the last metrics and the paths of all files.

    Args:
        replace: Delete the files of earlier runs in the work directory when training begins.

    Returns:
        The exit status.
    """
    with config_faults():
        runner = _guarded(config)
        if replace:
            runner.register_hook(RemoveEarlierRuns(), priority='VERY_LOW')
        began = time.monotonic()
        try:
            runner.train()
            seconds = time.monotonic() - began
            if runner.rank == 0:
                _report(runner)
                print(closing_line(runner, seconds))
        except RunStopped as stopped:
            if runner.rank == 0:
                print(stopped, flush=True)
            return stopped.status
        finally:
            runner.end_workers()
    return 0


def try_out(config: Config) -> int:
    """Run the first steps of a training and print their time and memory; keep no file.

    Returns:
        The exit status.
    """
    without_trackers(config)
    config.default_hooks = dict(config.get('default_hooks') or {}, checkpoint=None)
    with scratch_folder() as folder, config_faults():
        config.work_dir = str(folder)
        runner = _guarded(config)
        steps = FirstSteps()
        runner.register_hook(steps)
        try:
            runner.train()
            if runner.rank == 0:
                print('Dry run: the training has ended, no step is left; nothing is kept')
        except StepsDone:
            if runner.rank == 0:
                print(*dry_run_lines(runner, steps), sep='\n')
        except RunStopped:
            # There is nothing to resume.
            raise KeyboardInterrupt from None
        finally:
            runner.end_workers()
    return 0


def _guarded(config: Config) -> Runner:
    """Return the runner of a config with the hooks that check a training."""
    runner = Runner.from_cfg(config)
    for hook in (
        CheckClasses(),
        CheckImages(),
        CheckStrides(),
        RequireAlone(),
        StopOnNonFiniteLoss(),
        ReportSkippedImages(),
        TellOfManyObjects(),
    ):
        if not any(type(present) is type(hook) for present in runner.hooks):
            runner.register_hook(hook)
    return runner


def _report(runner: Runner) -> None:
    """Draw curves and predictions; print the metrics of the last validation and all paths."""
    work_dir = Path(runner.work_dir)
    paths = {
        'checkpoint': newest_checkpoint(work_dir),
        'best': best_checkpoint(runner),
        'log': Path(runner.log_dir) / f'{runner.timestamp}.log',
    }
    try:
        paths['curves'] = draw_curves(work_dir, work_dir / CURVES)
    except MissingDependency as error:
        print(error)
    if paths['checkpoint']:
        # The file's weights are the EMA if the run keeps one; the runner's model has the others.
        state = read_training_file(paths['checkpoint']).state
        bare_model(runner.model).load_state_dict(state)
        paths['predictions'] = draw_prediction_sheet(runner, work_dir / SHEET)
    skipped = skipped_images(runner.train_dataloader.dataset)
    if skipped:
        print(skipped_sentence(skipped))
    validation = read_scalars(work_dir).validation
    if validation:
        print(metrics_table(metrics_of(validation[-1])))
    for title, path in paths.items():
        if path is not None:
            print(f'{title:<12}{path}')
