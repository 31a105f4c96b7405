"""The training program."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from rexdense.device import reuse_freed_memory
from rexdense.engine.command_line import Parser
from rexdense.engine.config import load_config
from rexdense.engine.curves import draw_curves
from rexdense.engine.figures import figures_table
from rexdense.engine.prediction_sheet import draw_prediction_sheet
from rexdense.engine.runner import Runner, checkpoint_to_resume, prepare_work_dir
from rexdense.engine.scalars import read_scalars
from rexdense.engine.settings import (
    add_data_options,
    add_run_options,
    add_training_options,
    apply_run_options,
    apply_training_options,
)
from rexdense.engine.training_file import read_training_file

__all__ = ['main', 'train']


def parser() -> argparse.ArgumentParser:
    """Return the program's argument parser."""
    result = Parser(prog='tools/train.py', description='Train a model of a config file.')
    result.add_argument('config', type=Path, help='a file below configs/')
    for add in (add_data_options, add_training_options, add_run_options):
        add(result)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Train as the command line says; leave checkpoints, log, curves and a sheet of predictions."""
    options = parser().parse_args(arguments)
    reuse_freed_memory()
    config = load_config(options.config)
    device = apply_run_options(config, options, training=True)
    apply_training_options(config, options, device)
    work_dir = Path(config.work_dir)
    if options.resume:
        config.resume, config.load_from = True, checkpoint_to_resume(work_dir)
    prepare_work_dir(work_dir, reuse=options.resume, overwrite=options.overwrite)
    train(config)


def train(config: Config) -> None:
    """Train and validate, draw what came of it, print the last figures and where all lies."""
    runner = Runner.from_cfg(config)
    runner.train()
    if runner.rank != 0:
        return
    work_dir = Path(config.work_dir)
    checkpoint = Path(checkpoint_to_resume(work_dir))
    # The file's weights are the averaged ones where the run averages; the runner's model holds the
    # others.
    runner.model.load_state_dict(read_training_file(checkpoint).state)
    curves = draw_curves(work_dir, work_dir / 'curves.png')
    sheet = draw_prediction_sheet(runner, work_dir / 'predictions.png')
    validation = read_scalars(work_dir).validation
    if validation:
        print(figures_table(validation[-1]))
    log = Path(runner.log_dir) / f'{runner.timestamp}.log'
    for title, path in (
        ('checkpoint', checkpoint),
        ('log', log),
        ('curves', curves),
        ('predictions', sheet),
    ):
        if path is not None:
            print(f'{title:<12}{path}')
