"""The flip test that suits a trained model."""

import pytest
from torch import nn

pytest.importorskip('mmdet')

from mmdet.datasets.transforms import RandomFlip

from rexdense.engine.trained.flips import flip_directions, flip_tested
from rexdense.errors import InvalidArgument
from rexdense.models.detection_mirroring import DetectionFlipTest

BOTH = ['horizontal', 'vertical']


@pytest.mark.parametrize(
    ('flip', 'expected'),
    [
        (dict(type='mmdet.RandomFlip', prob=0.5), ['horizontal']),
        (dict(type='mmdet.RandomFlip', prob=0.5, direction=BOTH), BOTH),
        (dict(type=RandomFlip, prob=0.5, direction=BOTH), BOTH),
        (dict(type='RandomFlip', prob=[0, 0.5], direction=BOTH), ['vertical']),
        (dict(type='RandomFlip', prob=0.0, direction='vertical'), ['horizontal']),
        (dict(type='Resize', direction='vertical'), ['horizontal']),
    ],
)
def test_directions_are_those_of_the_training(flip, expected):
    assert list(flip_directions(dict(dataset=dict(pipeline=[flip])))) == expected


def model(**parts):
    made = nn.Module()
    for name, part in parts.items():
        setattr(made, name, part)
    made.test_cfg, made.test_step = {}, None
    return made


def test_models_that_find_no_boxes_are_refused():
    head = nn.Identity()
    for finding in (dict(bbox_head=head), dict(roi_head=head)):
        assert isinstance(flip_tested(model(**finding), BOTH), DetectionFlipTest)
    for other in (
        dict(bbox_head=None, mask_head=head),  # as mmdet's SOLO has it
        dict(roi_head=head, panoptic_fusion_head=head),
        dict(panoptic_head=head),
        dict(),
    ):
        with pytest.raises(InvalidArgument, match=r'^Module has no flip test: detectors of boxes'):
            flip_tested(model(**other), BOTH)
