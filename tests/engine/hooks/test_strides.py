"""Strides that heads state, against the features of the first batch."""

from types import SimpleNamespace

import pytest

pytest.importorskip('mmengine')

import torch
from torch import nn

from rexdense.cli import train
from rexdense.engine.hooks.strides import CheckStrides
from rexdense.errors import InvalidArgument
from tests.tiny_run import train_arguments


class Backbone(nn.Module):
    """Features of two strides."""

    def __init__(self, *strides, padding=1):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(3, 1, 3, stride, padding=padding) for stride in strides
        )

    def forward(self, x):
        return tuple(layer(x) for layer in self.layers)


class Neck(nn.Module):
    """Leaves out the first level."""

    def forward(self, features):
        return features[1:]


def model(backbone, anchors=None, regions=None, neck=None):
    whole = nn.Module()
    whole.backbone, whole.head, whole.extractor = backbone, nn.Module(), nn.Module()
    if neck:
        whole.neck = neck
    if anchors:
        whole.head.prior_generator = SimpleNamespace(strides=anchors)
    if regions:
        whole.extractor.featmap_strides = regions
    return whole


def first_batch(whole, size=(64, 97)):
    CheckStrides().before_train(SimpleNamespace(model=whole))
    for _ in range(2):
        features = whole.backbone(torch.zeros(1, 3, *size))
        if hasattr(whole, 'neck'):
            whole.neck(features)


@pytest.mark.parametrize(
    'whole',
    [
        model(Backbone(4, 8), anchors=[(4, 4), (8, 8)], regions=[4]),
        model(Backbone(4, 8), anchors=[4, 8], regions=[4, 8]),
        model(Backbone(4, 8), anchors=[8], neck=Neck()),
        # SSD's last levels have no padding, and its last stride is the size of the image.
        model(Backbone(8, 16, padding=0), anchors=[8, 16]),
        model(Backbone(32, 64), anchors=[32, 100]),
        model(Backbone(4, 8)),
    ],
)
def test_right_strides(whole):
    first_batch(whole)
    assert not whole.backbone._forward_pre_hooks and not whole.backbone._forward_hooks


@pytest.mark.parametrize(
    ('whole', 'expected'),
    [
        (
            model(Backbone(8, 16), anchors=[4, 8]),
            r'model\.head\.prior_generator states the strides \[4, 8\], the feature maps have '
            r'about \[8, 16\]: boxes would lie at wrong places',
        ),
        (model(Backbone(8, 4), anchors=[4, 8]), r'have about \[8, 4\]'),
        (model(Backbone(4, 8), anchors=[4], neck=Neck()), r'have about \[8\]'),
        (model(Backbone(4, 4), regions=[4, 8]), r'model\.extractor states the strides \[4, 8\]'),
        (model(Backbone(4, 8), anchors=[4, 8, 16]), 'states 3 strides .* there are 2 feature maps'),
        (model(Backbone(4, 8), anchors=[4]), 'states 1 strides .* there are 2 feature maps'),
        (model(Backbone(4), regions=[4, 8]), 'states 2 strides .* there are 1 feature maps'),
    ],
)
def test_wrong_strides(whole, expected):
    with pytest.raises(InvalidArgument, match=expected):
        first_batch(whole)


def test_a_neck_that_is_not_known(shapes, tmp_path):
    pytest.importorskip('mmdet')
    settings = ('model.neck.type=mmdet.ChannelMapper', 'model.backbone.out_indices=[0,1,2,3]')
    with pytest.raises(InvalidArgument, match='boxes would lie at wrong places'):
        train.main(train_arguments(shapes, tmp_path / 'run', settings=settings))
