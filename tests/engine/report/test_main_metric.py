"""The metric that chooses the best weights and ends a run, of each task."""

import logging
import math
from types import SimpleNamespace

import pytest

pytest.importorskip('mmengine')

from mmengine.config import Config
from mmengine.registry import HOOKS

from rexdense.engine.config.load import load_config
from rexdense.engine.report.main_metric import MainMetric, keep_best, main_metric, stop_early
from rexdense.errors import InvalidArgument
from rexdense.evaluation.depth_evaluation import DEPTH_METRICS
from tests.pages import ROOT

OF_TASKS = {
    'rexnet/faster-rcnn_rexnet-1.0_fpn_custom_coco': ('coco/bbox_mAP', 'greater'),
    'rexnet/mask-rcnn_rexnet-1.0_fpn_custom_coco': ('coco/segm_mAP', 'greater'),
    'rexnet/mask-rcnn_rexnet-1.0_fpn_1x_coco': ('coco/segm_mAP', 'greater'),
    'unet/unet_rexnet-1.0_custom': ('segmentation/mIoU', 'greater'),
    'unet/unet_rexnet-1.0_80k_cityscapes': ('segmentation/mIoU', 'greater'),
    'classification/rexnet-1.0_custom': ('classification/top1', 'greater'),
    'depth/unet_rexnet-1.0_custom': ('depth/abs_rel', 'less'),
    'depth/unet_rexnet-1.0_kitti': ('depth/abs_rel', 'less'),
}


@pytest.mark.parametrize('name', OF_TASKS)
def test_the_best_checkpoint_of_each_task(name):
    config = load_config(ROOT / 'configs' / f'{name}.py')
    keep_best(config)
    checkpoint = config.default_hooks.checkpoint
    assert (checkpoint.save_best, checkpoint.rule) == OF_TASKS[name]
    assert tuple(main_metric(config)) == OF_TASKS[name]


def test_the_metric_of_depth_is_measured():
    assert 'abs_rel' in DEPTH_METRICS


@pytest.mark.parametrize('chosen', [None, 'coco/bbox_mAP_50'])
def test_a_config_that_says_what_is_best_is_followed(chosen):
    checkpoint = dict(type='CheckpointHook', save_best=chosen)
    hooks = dict(default_hooks=dict(checkpoint=checkpoint))
    config = Config(dict(val_evaluator=dict(type='rexdense.CocoMetric'), **hooks))
    keep_best(config)
    assert config.default_hooks.checkpoint == checkpoint


@pytest.mark.parametrize(
    'stated', [dict(save_best='coco/nothing'), dict(save_best=3), dict(save_best='mAP', rule='up')]
)
def test_unfit_choices_of_the_best_are_refused(stated):
    checkpoint = dict(type='CheckpointHook', **stated)
    with pytest.raises(InvalidArgument, match='give a metric of the validation') as told:
        keep_best(Config(dict(default_hooks=dict(checkpoint=checkpoint))))
    assert '\n' not in str(told.value)


@pytest.mark.parametrize(
    ('evaluator', 'expected'),
    [
        (None, None),
        (dict(type='mmdet.CityScapesMetric'), None),
        (dict(type='mmdet.CocoMetric', metric='segm'), 'coco/segm_mAP'),
        ([dict(type='mmdet.DumpDetResults'), dict(type='CocoMetric')], 'coco/bbox_mAP'),
        (dict(type='IoUMetric'), 'mIoU'),
        (dict(type='rexdense.CocoMetric', prefix='cells'), 'cells/bbox_mAP'),
    ],
)
def test_metrics_of_others(evaluator, expected):
    metric = main_metric(Config(dict(val_evaluator=evaluator)))
    assert (metric and metric.name) == expected


def stopped_at(values, patience, rule='greater'):
    """The validation after which mmengine's hook ends a run, as it is configured here."""
    kind = 'rexdense.DepthMetric' if rule == 'less' else 'rexdense.CocoMetric'
    config = Config(dict(val_evaluator=dict(type=kind), custom_hooks=[dict(type='EMAHook')]))
    stop_early(config, patience)
    assert [hook['type'] for hook in config.custom_hooks] == ['EMAHook', 'EarlyStoppingHook']
    hook = HOOKS.build(config.custom_hooks[1])
    runner = SimpleNamespace(
        train_loop=SimpleNamespace(stop_training=False), logger=logging.getLogger('stopped')
    )
    for number, value in enumerate(values, start=1):
        hook.after_val_epoch(runner, {main_metric(config).name: value})
        if runner.train_loop.stop_training:
            return number
    return None


@pytest.mark.parametrize(
    ('values', 'patience', 'expected'),
    [
        ([0.1, 0.2, 0.19, 0.2], 2, 4),
        ([0.0, 0.0, 0.0, 0.0], 3, 4),
        ([0.1, 0.101, 0.102, 0.103], 1, None),
        ([0.1, 0.2, 0.1, 0.3, 0.2, 0.2], 2, 6),
        ([0.1, math.nan], 5, 2),
    ],
)
def test_a_run_ends_when_its_metric_stands_still(values, patience, expected):
    assert stopped_at(values, patience) == expected
    if not any(map(math.isnan, values)):
        assert stopped_at([1 - value for value in values], patience, 'less') == expected


def test_nothing_could_end_a_run():
    with pytest.raises(InvalidArgument, match='--early-stop 3: the config validates by none of'):
        stop_early(Config(dict(train_cfg=dict(max_epochs=3))), 3)


def test_the_best_row():
    rows = [dict(step=1, x=0.5), dict(step=2), dict(step=3, x=math.nan), dict(step=4, x=0.7)]
    rows += [dict(step=5, x=0.7), dict(step=6, x=0.4)]
    assert MainMetric('x').best(rows)['step'] == 4
    assert MainMetric('x', 'less').best(rows)['step'] == 6
    assert MainMetric('y').best(rows) is None
