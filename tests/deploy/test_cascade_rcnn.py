"""Graphs of Cascade R-CNN and Cascade Mask R-CNN: the same detections as mmdet."""

import pytest

pytest.importorskip('mmdet')
pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')

import torch

from rexdense.deploy.detection import FasterRCNNGraph, MaskRCNNGraph, detector_graph
from rexdense.deploy.detection.mask_rcnn import averaged_masks
from rexdense.deploy.detection.matching import detection_errors
from rexdense.errors import InvalidArgument
from rexdense.registry import MODELS
from tests.deploy.small_detectors import TWO_LEVELS, detector, exported, small_settings
from tests.tiny_run import CONFIG, MASK_CONFIG

pytestmark = pytest.mark.usefixtures('fresh_mmengine')

BY_CLASS = {'roi_head.bbox_head.reg_class_agnostic': False}
"""A box per class; mmdet's configs of cascades have one for all."""


@pytest.fixture(scope='module')
def settings():
    return small_settings(CONFIG)


@pytest.mark.parametrize(
    ('stages', 'changes', 'shape'),
    [
        (3, {}, (2, 3, 97, 131)),
        (2, BY_CLASS, (1, 3, 160, 96)),
        (3, BY_CLASS | {'test_cfg.rpn.min_bbox_size': 20}, (2, 3, 97, 131)),
        (2, {'roi_head.bbox_roi_extractor.roi_layer.sampling_ratio': 0}, (1, 3, 64, 65)),
        (2, {'roi_head.bbox_head.bbox_coder.clip_border': False}, (2, 3, 97, 131)),
    ],
)
def test_it_computes_what_mmdet_does(settings, stages, changes, shape):
    """With class-agnostic boxes and boxes per class, at sizes that need padding."""
    graph = detector_graph(detector(settings, stages, **changes))
    assert type(graph) is FasterRCNNGraph
    images = graph.example(*shape)
    with torch.no_grad():
        found, expected = graph(images), graph.reference(images)
    assert (expected['labels'] >= 0).sum() > 5
    errors = detection_errors(found, expected)
    assert max(errors.values()) < 1e-4, errors


def test_every_stage_counts(settings):
    """The scores and boxes of each stage affect the detections."""
    model = detector(settings, 3)
    images = FasterRCNNGraph(model).example(1, 3, 64, 96)
    with torch.no_grad():
        before = FasterRCNNGraph(model)(images)
        for layer in ('fc_cls', 'fc_reg'):
            for head in model.roi_head.bbox_head:
                weights = getattr(head, layer).weight
                kept = weights.clone()
                weights.mul_(0.5)
                errors = detection_errors(FasterRCNNGraph(model)(images), before)
                assert max(errors.values()) > 1e-3
                weights.copy_(kept)


def test_averaged_masks():
    """The mean of probabilities is right even if these round to 1 or 0."""
    logits = torch.tensor([[-3.0, 0.5, 40.0, -200.0], [1.0, 0.5, 60.0, -200.0]])
    probability = logits.double().sigmoid().mean(dim=0)
    found = averaged_masks(list(logits))
    torch.testing.assert_close(found[:2], probability.logit()[:2].float())
    # 1 - p is exp(-40) and exp(-60), whose mean is half of the first.
    expected = torch.tensor([40 + torch.tensor(2.0).log(), -200.0])
    torch.testing.assert_close(found[2:], expected)


@pytest.mark.slow
def test_the_whole_detector_in_onnxruntime(tmp_path):
    levels = TWO_LEVELS | {'roi_head.mask_roi_extractor.featmap_strides': [2, 4]}
    model = detector(small_settings(MASK_CONFIG), 2, **levels)
    graph = detector_graph(model)
    assert type(graph) is MaskRCNNGraph
    nodes = exported(graph, tmp_path / 'detector.onnx').graph.node
    assert {node.domain for node in nodes} == {''}


@pytest.mark.parametrize(
    ('changes', 'expected'),
    [
        (
            {'roi_head.bbox_head.loss_cls': dict(type='SeesawLoss', num_classes=80)},
            'a Shared2FCBBoxHead with scores of its own, or without boxes, has no graph',
        ),
        (
            {
                'roi_head.bbox_roi_extractor': dict(
                    type='GenericRoIExtractor',
                    roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=1),
                    out_channels=64,
                    featmap_strides=[4, 8, 16, 32],
                )
            },
            "a GenericRoIExtractor for its region features; a graph is known for mmdet's Single",
        ),
    ],
)
def test_detectors_without_a_graph_are_refused(settings, changes, expected):
    with pytest.raises(InvalidArgument, match=expected):
        detector_graph(detector(settings, 2, **changes))


@pytest.mark.parametrize('regions', [-1, 0])
def test_a_number_of_regions_is_needed(settings, regions):
    """mmdet would leave out the last region, or all."""
    with pytest.raises(InvalidArgument, match=f'max_per_img={regions}'):
        detector_graph(detector(settings, **{'test_cfg.rpn.max_per_img': regions}))


def test_heads_that_no_graph_has(settings):
    model = detector(settings, 2)
    model.roi_head.shared_head = torch.nn.Identity()
    with pytest.raises(InvalidArgument, match='shared_head'):
        detector_graph(model)
    channels = settings.neck.out_channels
    sides = dict(cls_in_channels=channels, reg_in_channels=channels)
    model = detector(settings, 2)
    model.roi_head.bbox_head[1] = MODELS.build(dict(type='mmdet.SABLHead', num_classes=3, **sides))
    with pytest.raises(InvalidArgument, match='SABLHead'):
        detector_graph(model)
