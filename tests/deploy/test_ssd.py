"""Graphs of SSDLite: the same detections as mmdet. A file runs in
tests/cli/test_ssdlite_programs.py."""

import pytest

pytest.importorskip('mmdet')

import torch
from mmengine.registry import init_default_scope

from rexdense.arch import channels
from rexdense.deploy.detection import SSDGraph, detector_graph
from rexdense.deploy.detection.matching import detection_errors
from rexdense.engine.config.load import load_config
from rexdense.engine.config.override import override
from rexdense.engine.scope import import_scope
from rexdense.errors import InvalidArgument
from rexdense.registry import MODELS
from tests.deploy.small_detectors import spread_ssd
from tests.models.networks import randomise
from tests.tiny_run import ROOT, SSDLITE_CONFIG

pytestmark = pytest.mark.usefixtures('fresh_mmengine')


@pytest.fixture
def build():
    """Function that builds the detector with few blocks, classes and candidates."""

    def build(**changes):
        model = load_config(ROOT / SSDLITE_CONFIG).model
        model.backbone.depth_mult = 0.1
        taps = channels('rexnet_1.0', (3, 4), depth_mult=0.1)
        maps = [*taps, 24, 16, 16, 8]
        model.neck.update(in_channels=taps, out_channels=maps)
        model.bbox_head.update(in_channels=maps, num_classes=7)
        model.test_cfg.update(dict(nms_pre=60, max_per_img=30) | changes)
        import_scope(dict(default_scope='mmdet'))
        init_default_scope('mmdet')
        torch.manual_seed(0)
        network = randomise(MODELS.build(model)).eval()
        return spread_ssd(network)

    return build


@pytest.mark.parametrize(
    'changes',
    [
        {},
        dict(nms_pre=1000, max_per_img=200),
        dict(nms=dict(type='nms', iou_threshold=0.2, class_agnostic=True)),
        dict(score_thr=0.3, max_per_img=5),
        dict(score_thr=0.9999),
        dict(min_bbox_size=40),
    ],
    ids=lambda changes: ', '.join(changes) or 'as configured',
)
def test_it_computes_what_mmdet_does(build, changes):
    """Every setting of the graph, on small maps with fewer anchors than candidates. With the
    highest threshold, nothing is detected."""
    graph = SSDGraph(build(**changes))
    images = graph.example(2, 3, 97, 131)
    with torch.no_grad():
        found, expected = graph(images), graph.reference(images)
    assert (expected['labels'] >= 0).sum() > 5 or changes.get('score_thr') == 0.9999
    errors = detection_errors(found, expected)
    assert max(errors.values()) < 1e-4, errors
    assert found['scores'].diff(dim=1).max() <= 0


@pytest.mark.parametrize(
    'changes',
    [
        dict(arch='rexnet_2.0'),
        dict(arch='rexnet_lite_1.0', type='rexdense.ReXNetLite'),
        dict(width_mult=1.7),
    ],
)
def test_necks_and_heads_follow_the_backbone(changes):
    config = load_config(ROOT / SSDLITE_CONFIG)
    override(config, {f'model.backbone.{key}': value for key, value in changes.items()})
    backbone = dict(config.model.backbone)
    overrides = {key: backbone[key] for key in ('width_mult',) if key in backbone}
    maps = [*channels(backbone['arch'], (3, 4), **overrides), 512, 256, 256, 128]
    assert config.model.neck.in_channels == maps[:2]
    assert config.model.neck.out_channels == config.model.bbox_head.in_channels == maps


@pytest.mark.parametrize(
    ('changes', 'expected'),
    [
        (dict(nms_pre=-1), r'test_cfg\.nms_pre=-1: a graph needs a number above 0'),
        (dict(max_per_img=-1), r'test_cfg\.max_per_img=-1: a graph needs a number above 0'),
        (
            dict(nms=dict(type='soft_nms', iou_threshold=0.5)),
            r'test_cfg\.nms=.*soft_nms.*: ONNX has plain suppression alone',
        ),
    ],
)
def test_detectors_without_a_graph_are_refused(build, changes, expected):
    with pytest.raises(InvalidArgument, match=expected):
        SSDGraph(build(**changes))


def test_another_head_has_no_graph(build):
    network = build()
    network.bbox_head.__class__ = type('FCOSHead', (type(network.bbox_head),), {})
    with pytest.raises(InvalidArgument, match=r"a FCOSHead for its box head; .* mmdet's SSDHead"):
        detector_graph(network)


def test_another_detector_has_no_graph():
    with pytest.raises(InvalidArgument, match=r'a Linear; graphs .* FasterRCNN, .* Single'):
        detector_graph(torch.nn.Linear(3, 4))
