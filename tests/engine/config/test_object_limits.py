"""Limits of the objects of an image in the configs of models."""

import pytest

pytest.importorskip('mmengine')

from mmengine.config import ConfigDict

from rexdense.engine.config.object_limits import most_objects, object_limits, set_most_objects
from rexdense.errors import InvalidArgument


@pytest.mark.parametrize(
    ('test_cfg', 'most', 'after'),
    [
        (dict(max_per_img=200, nms_pre=400), 200, dict(max_per_img=300, nms_pre=400)),
        (dict(max_per_image=100), 100, dict(max_per_image=300)),
        (
            dict(rpn=dict(max_per_img=500), rcnn=dict(max_per_img=100, score_thr=0.05)),
            100,
            dict(rpn=dict(max_per_img=600), rcnn=dict(max_per_img=300, score_thr=0.05)),
        ),
        (
            dict(rpn=dict(max_per_img=1000), rcnn=dict(max_per_img=100)),
            100,
            dict(rpn=dict(max_per_img=1000), rcnn=dict(max_per_img=300)),
        ),
    ],
)
def test_limits(test_cfg, most, after):
    model = ConfigDict(test_cfg=test_cfg)
    assert most_objects(model) == most
    set_most_objects(model, 300)
    assert model == dict(test_cfg=after) and most_objects(model) == 300


@pytest.mark.parametrize('model', [{}, dict(test_cfg=None), dict(test_cfg=dict(max_per_img=-1))])
def test_models_without_a_limit(model):
    assert (object_limits(model), most_objects(model)) == ({}, None)
    with pytest.raises(InvalidArgument, match='max_objects=5: this model does not limit'):
        set_most_objects(model, 5)


@pytest.mark.parametrize(
    'model',
    [
        dict(num_queries=100, test_cfg=dict(max_per_img=100)),
        dict(panoptic_head=dict(num_queries=100), test_cfg=dict(max_per_image=100)),
        dict(rpn_head=dict(num_proposals=100), test_cfg=dict(rcnn=dict(max_per_img=100))),
    ],
)
def test_models_of_queries_find_no_more_than_they_have(model):
    model = ConfigDict(model)
    with pytest.raises(InvalidArgument, match=r'max_objects=101: .* num_.*=100, .* 100 at most'):
        set_most_objects(model, 101)
    assert most_objects(model) == 100
    set_most_objects(model, 100)
    set_most_objects(model, 50)
    assert most_objects(model) == 50
