"""A run's logged values, read back, drawn and printed."""

import json
import math
import time

import pytest

pytest.importorskip('matplotlib')

import cv2

from rexdense.evaluation.metrics_table import metrics_of, metrics_table
from rexdense.visualization.plots.curves import draw_curves, drawn_metrics
from rexdense.visualization.scalars import read_scalars


def log(work_dir, name, rows):
    path = work_dir / name / 'vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(row if isinstance(row, str) else json.dumps(row) for row in rows))


def training(step, loss):
    return {'lr': 0.1, 'loss': loss, 'loss_cls': loss / 2, 'epoch': 1, 'step': step}


def test_a_resumed_run_replaces_what_it_did_again(tmp_path):
    log(tmp_path, '20260101_000000', [training(1, 9.0), training(2, 8.0), training(3, 7.0)])
    log(tmp_path, '20260102_000000', [training(2, 6.0), {'mAP': 0.5, 'step': 1}, '{"cut o'])
    scalars = read_scalars(tmp_path)
    assert [(row['step'], row['loss']) for row in scalars.training] == [(1, 9.0), (2, 6.0)]
    assert scalars.validation == [{'mAP': 0.5, 'step': 1}]
    (damaged,) = scalars.damaged
    assert damaged.endswith('20260102_000000/vis_data/scalars.json: line 3 is no row of values')


def test_the_rows_of_weeks_are_read_in_seconds(tmp_path):
    """In a time that grows as their number does, not as its square."""
    log(tmp_path, '20260101_000000', [training(step, 9.0) for step in range(30_000)])
    log(tmp_path, '20260102_000000', [training(step, 8.0) for step in range(29_990, 29_995)])
    began = time.process_time()
    rows = read_scalars(tmp_path).training
    assert time.process_time() - began < 5
    assert (len(rows), rows[29_989]['loss'], rows[29_990]['loss']) == (29_995, 9.0, 8.0)


def test_nothing_logged(tmp_path):
    assert read_scalars(tmp_path) == ([], [], ())
    assert draw_curves(tmp_path, tmp_path / 'curves.png') is None
    assert not (tmp_path / 'curves.png').exists()


def test_curves_have_all_colours_of_their_lines(tmp_path):
    rows = [training(step, 9.0 - step) for step in range(1, 6)]
    validation = {'coco/bbox_mAP': 0.5, 'step': 1, 'time': 3.0, 'data_time': 1.0}
    log(tmp_path, '20260101_000000', [*rows, validation])
    path = draw_curves(tmp_path, tmp_path / 'curves.png')
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ['20260101_000000', 'curves.png']
    picture = cv2.imread(str(path))[..., ::-1].reshape(-1, 3)
    # matplotlib's tab:blue, tab:orange (losses) and tab:green (rate).
    for colour in ((31, 119, 180), (255, 127, 14), (44, 160, 44)):
        assert (picture == colour).all(axis=1).sum() > 50


def test_metrics_of_masks_are_drawn_beside_those_of_boxes():
    names = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s')
    row = {f'coco/{kind}_{name}': 0.5 for kind in ('bbox', 'segm') for name in names}
    wanted = [f'coco/{kind}_{name}' for kind in ('bbox', 'segm') for name in names[:3]]
    assert drawn_metrics(row | {'step': 1}) == wanted
    assert drawn_metrics({'mIoU': 1.0, 'mAcc': 1.0, 'aAcc': 1.0, 'b': 1.0}) == [
        'mIoU',
        'mAcc',
        'aAcc',
    ]


def test_metrics_are_what_is_left_of_a_row():
    row = {'coco/bbox_mAP': 0.25, 'mIoU': 31.5, 'step': 3, 'time': 0.1, 'data_time': 0.2}
    assert metrics_of(row) == {'coco/bbox_mAP': 0.25, 'mIoU': 31.5}


def test_table_of_metrics():
    metrics = {
        'coco/bbox_mAP': 0.12345,
        'coco/bbox_mAP_l': math.nan,
        'mIoU': 31.5,
        'coco/bbox_AP/red / blue': 0.5,
    }
    assert metrics_table(metrics).splitlines() == [
        'metric       value',
        'bbox_mAP     0.123',
        'bbox_mAP_l       -',
        'mIoU        31.500',
        'class          AP',
        'red / blue  0.500',
    ]
