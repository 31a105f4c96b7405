"""The demo of pretraining: a classifier, and the same detector from its weights and from random
ones."""

import argparse
import copy
import re
from pathlib import Path
from typing import Any

from rexdense.cli import train
from rexdense.engine.resume.checkpoints import checkpoints_of_runs, newest_checkpoint, run_meta
from rexdense.engine.work_dir import prepare_work_dir
from rexdense.errors import InvalidArgument
from rexdense.text_table import text_table
from rexdense.visualization.scalars import read_scalars

CLASSIFIER = 'classification/rexnet-1.0_demo_shapes'
CROPS = 'crops'
"""The Shapes folder with a subfolder for each class."""
RUNS = ('classifier', 'from_random', 'from_classifier')
"""Folders of the runs, in order."""
SEED = 0
DETECTOR_EPOCHS = 4
"""Half the epochs of make demo: the benefit of good weights is how early a detector is good."""
# Config values that determine the initial weights of a run.
_WEIGHTS = re.compile(r'(load_from|resume|model\.(backbone\.)?init_cfg)(\.|$)')
TOP1, AP50 = 'classification/top1', 'coco/bbox_mAP_50'


def check_pretraining(options: argparse.Namespace) -> None:
    """Raise InvalidArgument if the runs would not start from the weights in the table, would lose
    earlier ones, or have none to resume.

    Args:
        options: Options of rexdense train for all three runs.
    """
    given = [
        f'--{name.replace("_", "-")}' for name in ('pretrained', 'load_from') if vars(options)[name]
    ]
    given += [
        f'--cfg-options {key}'
        for key, value in (options.cfg_options or {}).items()
        if value and _WEIGHTS.match(key)
    ]
    if given:
        raise InvalidArgument(
            f'demo pretrain: {given[0]} would give weights to all three runs, which compare random '
            "weights with the classifier's; leave it out, or train one model with rexdense train"
        )
    if options.early_stop:
        raise InvalidArgument(
            'demo pretrain: --early-stop would end its runs at different steps, whose figures it '
            'compares; leave it out'
        )
    folders = [options.work_dir / name for name in RUNS]
    if options.resume and not any(map(checkpoints_of_runs, folders)):
        raise InvalidArgument(
            f'--resume: no checkpoint in {", ".join(RUNS)} of {options.work_dir}; leave --resume '
            'out to start, or name the folder with --work-dir'
        )
    for folder in folders:
        prepare_work_dir(folder, may_hold_results=options.resume or options.overwrite)


def compare_pretraining(detector: str, options: argparse.Namespace) -> int:
    """Train a classifier on the crops of Shapes, then a detector from its weights and one from
    random weights with the same seed and number of steps. Print the three curves as a table.

    With ``--resume``, each run with a checkpoint continues, and the others start.

    Args:
        detector: The name of the config of the detector.
        options: Options of rexdense train for all runs; ``data_root`` is the Shapes data set, and
            ``work_dir`` gets a folder for each of the three runs.

    Returns:
        The exit status: that of a run stopped by a signal, else 0.
    """
    folders = {name: options.work_dir / name for name in RUNS}
    seed = _seed(folders, options)

    def run(name: str, config: str, **changes: Any) -> int:
        own = copy.deepcopy(options)
        own.config, own.seed, own.work_dir = config, seed, folders[name]
        own.resume = options.resume and bool(checkpoints_of_runs(folders[name]))
        vars(own).update(changes)
        return train.run(own)

    epochs = options.epochs or DETECTOR_EPOCHS
    status = run('classifier', CLASSIFIER, data_root=options.data_root / CROPS)
    status = status or run('from_random', detector, epochs=epochs)
    if status:
        return status
    weights = str(newest_checkpoint(folders['classifier']))
    status = run('from_classifier', detector, epochs=epochs, pretrained=weights)
    if not status:
        print(_table(folders))
    return status


def _seed(folders: dict[str, Path], options: argparse.Namespace) -> int:
    """Return the seed of all runs: the requested one, or else that of the runs to resume."""
    if options.seed is not None:
        return options.seed
    for folder in folders.values() if options.resume else ():
        checkpoint = newest_checkpoint(folder)
        stored = run_meta(checkpoint).get('seed') if checkpoint else None
        if stored is not None:
            return stored
    return SEED


def _table(folders: dict[str, Path]) -> str:
    """Return top-1 of the classifier and AP50 of both detectors by epoch."""
    columns = {
        'top-1 of the classifier': _curve(folders['classifier'], TOP1),
        'AP50 from random weights': _curve(folders['from_random'], AP50),
        'AP50 from the classifier': _curve(folders['from_classifier'], AP50),
    }
    rows = [['after epoch', *columns]]
    for epoch in sorted({epoch for curve in columns.values() for epoch in curve}):
        values = (curve.get(epoch) for curve in columns.values())
        rows.append([str(epoch), *('-' if value is None else f'{value:.3f}' for value in values)])
    return text_table(rows)


def _curve(work_dir: Path, name: str) -> dict[int, float]:
    """Return the measured values of a run by epoch."""
    return {int(row['step']): row[name] for row in read_scalars(work_dir).validation if name in row}
