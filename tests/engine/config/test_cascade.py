"""Cascaded heads are those of mmdet's own config."""

from pathlib import Path

import pytest

pytest.importorskip('mmdet')

import mmdet
from mmengine.config import Config

from rexdense.engine.config.cascade import cascade_model, require_stages
from rexdense.errors import InvalidArgument

MODELS = Path(mmdet.__file__).parent / '.mim/configs/_base_/models'


@pytest.mark.parametrize(
    ('name', 'cascaded'),
    [
        ('faster-rcnn_r50_fpn', 'cascade-rcnn_r50_fpn'),
        ('mask-rcnn_r50_fpn', 'cascade-mask-rcnn_r50_fpn'),
    ],
)
def test_the_heads_of_mmdet(name, cascaded):
    config, published = (Config.fromfile(MODELS / f'{file}.py').model for file in (name, cascaded))
    changed = Config(dict(model=config.to_dict()))
    changed.merge_from_dict(dict(model=cascade_model(config)))
    model = changed.model.to_dict()
    assert model['roi_head'] == published.roi_head.to_dict()
    assert model['train_cfg']['rcnn'] == published.train_cfg.to_dict()['rcnn']
    assert model['type'] == 'CascadeRCNN'
    two = cascade_model(config, stages=2)['roi_head']
    assert two['stage_loss_weights'] == [1, 0.5] and len(two['bbox_head']) == 2
    with pytest.raises(InvalidArgument, match='this model is CascadeRCNN with CascadeRoIHead'):
        cascade_model(model)


def faster_rcnn():
    return Config.fromfile(MODELS / 'faster-rcnn_r50_fpn.py').model


def test_a_loss_of_whole_boxes_stays():
    """It takes pixels, where the cascade's takes offsets."""
    model, loss = faster_rcnn(), dict(type='GIoULoss', loss_weight=10.0)
    model.roi_head.bbox_head.update(reg_decoded_bbox=True, loss_bbox=loss)
    heads = cascade_model(model)['roi_head']['bbox_head']
    assert [head['loss_bbox'] for head in heads] == [loss] * 3
    assert [head['bbox_coder']['target_stds'][0] for head in heads] == [0.1, 0.05, 0.033]


def test_the_scope_stays():
    model = faster_rcnn()
    model.type, model.roi_head.type = 'mmdet.FasterRCNN', 'mmdet.StandardRoIHead'
    changed = cascade_model(model)
    assert changed['type'] == 'mmdet.CascadeRCNN'
    assert changed['roi_head']['type'] == 'mmdet.CascadeRoIHead'


@pytest.mark.parametrize(
    ('change', 'expected'),
    [
        (lambda model: model.update(type='other.FasterRCNN'), r'this model is other\.FasterRCNN'),
        (lambda model: model.roi_head.update(shared_head=dict(type='ResLayer')), 'has roi_head.sh'),
        (lambda model: model.roi_head.pop('bbox_head'), r'one model\.roi_head\.bbox_head'),
        (lambda model: model.roi_head.update(bbox_head=[]), r'one model\.roi_head\.bbox_head'),
        (lambda model: model.pop('train_cfg'), r'one model\.train_cfg\.rcnn\.assigner'),
        (lambda model: model.update(train_cfg=None), r'one model\.train_cfg\.rcnn\.assigner'),
        (lambda model: model.train_cfg.rcnn.pop('assigner'), r'train_cfg\.rcnn\.assigner'),
    ],
)
def test_models_without_a_cascade_are_refused(change, expected):
    model = faster_rcnn()
    change(model)
    with pytest.raises(InvalidArgument, match=expected):
        cascade_model(model)


def test_a_number_of_stages_is_whole():
    with pytest.raises(InvalidArgument, match=r'stages=2\.0: 2 and 3 are known'):
        cascade_model(faster_rcnn(), stages=2.0)


@pytest.mark.parametrize('name', ['cascade-rcnn_r50_fpn', 'cascade-mask-rcnn_r50_fpn'])
def test_stages_that_fit(name):
    require_stages(Config.fromfile(MODELS / f'{name}.py').model)


@pytest.mark.parametrize(
    ('settings', 'expected'),
    [
        (
            {'roi_head.num_stages': 2},
            r'model\.roi_head\.bbox_head is a list of 3, and model\.roi_head\.num_stages=2',
        ),
        ({'roi_head.stage_loss_weights': [1, 0.5]}, 'stage_loss_weights is a list of 2, and'),
        ({'roi_head.stage_loss_weights': 1.0}, 'stage_loss_weights is no list, and'),
        ({'roi_head.mask_head': [dict(type='FCNMaskHead')]}, 'mask_head is a list of 1, and'),
        ({'train_cfg.rcnn': dict(sampler=dict(num=16))}, r'model\.train_cfg\.rcnn is no list, and'),
    ],
)
def test_stages_that_do_not_fit(settings, expected):
    model = Config.fromfile(MODELS / 'cascade-mask-rcnn_r50_fpn.py').model
    for name, value in settings.items():
        section, key = name.split('.')
        model[section][key] = value
    with pytest.raises(InvalidArgument, match=expected):
        require_stages(model)


@pytest.mark.parametrize('head', [None, {}, 3, [dict(type='CascadeRoIHead')]])
def test_heads_that_are_no_cascade_are_left_to_mmdet(head):
    require_stages(dict(type='CascadeRCNN', roi_head=head))
