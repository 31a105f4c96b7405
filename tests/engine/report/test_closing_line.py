"""The line that ends a training."""

import json
from types import SimpleNamespace

import pytest

pytest.importorskip('mmengine')

from mmengine.config import Config
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop

from rexdense.engine.report.closing_line import closing_line


def line(tmp_path, rows, kind='rexdense.CocoMetric', loop=EpochBasedTrainLoop, epochs=3):
    folder = tmp_path / '20260101_000000/vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, rows)))
    runner = SimpleNamespace(
        cfg=Config(dict(val_evaluator=dict(type=kind) if kind else None)),
        train_loop=object.__new__(loop),
        work_dir=str(tmp_path),
        epoch=epochs,
        iter=epochs * 10,
    )
    return closing_line(runner, 75).replace(str(tmp_path), 'DIR')


@pytest.mark.parametrize(
    ('values', 'kind', 'expected'),
    [
        ([0.25, 0.5], 'rexdense.CocoMetric', 'bbox_mAP 0.500, the best; '),
        ([0.5, 0.25], 'rexdense.CocoMetric', 'bbox_mAP 0.250, best 0.500 at epoch 1; '),
        ([0.5, 0.25], 'rexdense.DepthMetric', 'abs_rel 0.250, the best; '),
        ([0.25, 0.5], 'rexdense.DepthMetric', 'abs_rel 0.500, best 0.250 at epoch 1; '),
        ([], 'rexdense.CocoMetric', ''),
        ([0.5], None, ''),
    ],
)
def test_last_and_best_metric_with_its_epoch(values, kind, expected, tmp_path):
    name = 'depth/abs_rel' if kind == 'rexdense.DepthMetric' else 'coco/bbox_mAP'
    rows = [{name: value, 'step': step} for step, value in enumerate(values, start=1)]
    assert line(tmp_path, rows, kind) == f'Done: {expected}3 epochs in 1 min 15 s; DIR'


def test_runs_that_count_iterations(tmp_path):
    rows = [{'coco/bbox_mAP': 0.5, 'step': 20}, {'coco/bbox_mAP': 0.25, 'step': 30}]
    assert line(tmp_path, rows, loop=IterBasedTrainLoop) == (
        'Done: bbox_mAP 0.250, best 0.500 at iteration 20; 30 iterations in 1 min 15 s; DIR'
    )
