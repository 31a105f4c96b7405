"""Graphs of mmseg's segmentors: backbone, neck and decode head."""

import pytest

pytest.importorskip('mmseg')
pytest.importorskip('onnxruntime')

import mmseg.models  # noqa: F401 - registers its heads
import torch
from mmengine.registry import init_default_scope

from rexdense.arch import channels
from rexdense.deploy import SegmentorGraph, export_graph
from rexdense.deploy.formats import GRAPH_FORMATS
from rexdense.registry import MODELS
from tests.models.networks import image, randomise, relative_error

UNET_LEVELS = (0, 1, 2)
WIDTHS = channels('rexnet_1.0', depth_mult=0.1)
UNET = dict(
    type='rexdense.MultiScaleUNetHead',
    arch='rexnet_1.0',
    overrides=dict(depth_mult=0.1),
    out_indices=UNET_LEVELS,
    num_classes=3,
)
FPN = dict(
    type='mmseg.FPNHead',
    in_channels=[8] * 4,
    in_index=[0, 1, 2, 3],
    feature_strides=[4, 8, 16, 32],
    channels=8,
    num_classes=3,
    norm_cfg=dict(type='BN'),
    align_corners=False,
)


def segmentor(head, out_indices, neck=None):
    init_default_scope('mmseg')
    torch.manual_seed(0)
    backbone = dict(
        type='rexdense.ReXNet', arch='rexnet_1.0', depth_mult=0.1, out_indices=out_indices
    )
    config = dict(type='mmseg.EncoderDecoder', backbone=backbone, neck=neck, decode_head=head)
    return randomise(MODELS.build(config | dict(test_cfg=dict(mode='whole')))).eval()


@pytest.mark.usefixtures('fresh_mmengine')
@pytest.mark.parametrize('format', ['torch_export', 'torchscript'])
@pytest.mark.slow
def test_outputs_by_stride(format, tmp_path):
    model = segmentor(UNET, UNET_LEVELS)
    path = tmp_path / f'unet{GRAPH_FORMATS[format].suffix}'
    report = export_graph(SegmentorGraph(model), path, format)
    images = image(3, 3, 65, 97, seed=3)
    found = GRAPH_FORMATS[format].open(path)(images)
    with torch.no_grad():
        expected = model.decode_head(model.extract_feat(images), (65, 97))
    assert list(found) == [f'stride_{stride}' for stride in expected]
    assert found['stride_1'].shape == (3, 3, 65, 97)
    for value, reference in zip(found.values(), expected.values(), strict=True):
        assert relative_error(value, reference) < 1e-4
    assert report.description['outputs'][0] == dict(
        name='stride_1', shape=['batch', 3, 'height', 'width'], stride=1
    )


@pytest.mark.usefixtures('fresh_mmengine')
def test_a_head_of_mmseg(tmp_path):
    neck = dict(type='mmseg.FPN', in_channels=WIDTHS, out_channels=8, num_outs=4)
    model = segmentor(FPN, (1, 2, 3, 4), neck)
    report = export_graph(SegmentorGraph(model), tmp_path / 'fpn.pt', 'torchscript')
    images = image(1, 3, 65, 97, seed=3)
    found = GRAPH_FORMATS['torchscript'].open(report.path)(images)
    with torch.no_grad():
        expected = model.decode_head(model.extract_feat(images))
    assert list(found) == ['logits'] and relative_error(found['logits'], expected) < 1e-4
    assert report.description['outputs'][0]['stride'] == 4
