"""The demo of pretraining: a classifier, and the same detector from it and from random weights."""

from collections.abc import Sequence
from pathlib import Path

from rexdense.cli import train
from rexdense.engine.work_dir import newest_checkpoint
from rexdense.text_table import text_table
from rexdense.visualization.scalars import read_scalars

__all__ = ['CLASSIFIER', 'compare_pretraining']

CLASSIFIER = Path('configs/classification/rexnet-1.0_demo_shapes.py')
CROPS = 'crops'
"""The folder of Shapes with a folder for each class."""
SEED = '0'
TOP1, AP50 = 'classification/top1', 'coco/bbox_mAP_50'


def compare_pretraining(
    detector: Path, data_root: Path, work_dir: Path, further: Sequence[str]
) -> None:
    """Train a classifier on the crops of Shapes, then a detector from it and one from random
    weights at the same seed and number of steps; print the three curves as a table.

    Args:
        detector: The config of the detector.
        data_root: The Shapes data set.
        work_dir: Gets a folder for each of the three runs.
        further: Options of rexdense train for all of them.
    """
    folders = {name: work_dir / name for name in ('classifier', 'from_random', 'from_classifier')}

    def run(name: str, config: Path, root: Path, *options: str) -> None:
        places = ['--data-root', str(root), '--work-dir', str(folders[name])]
        train.main([str(config), '--seed', SEED, *further, *places, *options])

    run('classifier', CLASSIFIER, data_root / CROPS)
    run('from_random', detector, data_root)
    trained = str(newest_checkpoint(folders['classifier']))
    run('from_classifier', detector, data_root, '--pretrained', trained)
    print(_table(folders))


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
    """Return what a run measured by epoch."""
    return {int(row['step']): row[name] for row in read_scalars(work_dir).validation if name in row}
