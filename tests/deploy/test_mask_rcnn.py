"""Graphs of Mask R-CNN: the same boxes and masks as mmdet."""

import json

import pytest

pytest.importorskip('mmdet')
pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')

import numpy as np
import torch
from mmengine.structures import BaseDataElement

from rexdense.deploy.detection import FasterRCNNGraph, MaskRCNNGraph, detector_graph
from rexdense.deploy.detection.matching import detection_errors
from rexdense.deploy.pasting import paste_masks
from rexdense.errors import InvalidArgument
from tests.deploy.small_detectors import TWO_LEVELS, detector, exported, small_settings
from tests.tiny_run import CONFIG, MASK_CONFIG

pytestmark = pytest.mark.usefixtures('fresh_mmengine')


@pytest.fixture(scope='module')
def settings():
    return small_settings(MASK_CONFIG)


def found_by_mmdet(model, images):
    """Return mmdet's own predictions, with masks of whole images."""
    info = dict(img_shape=images.shape[2:], ori_shape=images.shape[2:], scale_factor=(1.0, 1.0))
    samples = [BaseDataElement(metainfo=info) for _ in images]
    height, width = images.shape[2:]
    padded = torch.nn.functional.pad(images, (0, -width % 32, 0, -height % 32))
    with torch.no_grad():
        features = model.extract_feat(padded)
        regions = model.rpn_head.predict(features, samples, rescale=False)
        return model.roi_head.predict(features, regions, samples, rescale=False)


@pytest.mark.parametrize(
    ('stages', 'changes'),
    [
        (1, {}),
        (1, {'roi_head.mask_head.class_agnostic': True}),
        (1, {'roi_head.mask_roi_extractor.roi_layer.sampling_ratio': 0}),
        (1, {'roi_head.mask_head.upsample_cfg': dict(type='bilinear', scale_factor=2)}),
        (1, {'roi_head.mask_head.upsample_cfg': dict(type=None), 'test_cfg.rcnn.max_per_img': 4}),
        (1, {'test_cfg.rcnn.score_thr': 0.999}),
        (3, {}),
        (2, {'roi_head.mask_head.class_agnostic': True}),
        (2, {'test_cfg.rcnn.score_thr': 0.999}),
    ],
    ids=lambda case: (', '.join(case) or 'as configured') if isinstance(case, dict) else str(case),
)
def test_it_computes_what_mmdet_does(settings, stages, changes):
    """At a size that needs padding. With a score threshold of 0.999, nothing is detected. Several
    stages make a Cascade Mask R-CNN."""
    model = detector(settings, stages, **changes)
    graph = MaskRCNNGraph(model)
    images = graph.example(2, 3, 97, 131)
    with torch.no_grad():
        found, expected = graph(images), graph.reference(images)
    errors = detection_errors(found, expected)
    assert set(errors) == {'boxes', 'scores', 'labels', 'masks'}
    assert max(errors.values()) < 1e-4, errors
    differing = pixels = 0
    for place, result in enumerate(found_by_mmdet(model, images)):
        there = found['labels'][place] >= 0
        assert there.sum() == len(result.scores)
        assert there.sum() > 3 or changes.get('test_cfg.rcnn.score_thr')
        if not there.any():
            continue
        distances = torch.cdist(result.bboxes, found['boxes'][place][there])
        # The boxes of a cascade do not depend on the class.
        other_class = result.labels[:, None] != found['labels'][place][there]
        order = distances.masked_fill(other_class, torch.inf).argmin(dim=1)
        logits = found['masks'][place][there][order].numpy()
        pasted = paste_masks(logits, result.bboxes.numpy(), 97, 131)
        differing += (pasted != result.masks.numpy()).sum()
        pixels += result.masks.sum()
    # Probabilities of about one half may fall on either side.
    assert differing <= 1e-3 * pixels


@pytest.mark.parametrize('threshold', [0.5, 0.2, 0.9])
def test_masks_are_pasted_as_mmdet_does(settings, threshold):
    model = detector(settings)
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(30, 4, generator=generator) * torch.tensor([90.0, 70.0, 90.0, 70.0])
    boxes = torch.cat((corners.view(-1, 2, 2).amin(1), corners.view(-1, 2, 2).amax(1)), dim=1)
    logits = torch.randn(30, 1, 28, 28, generator=generator)
    logits = torch.nn.functional.avg_pool2d(logits, 5, 1, 2) * 10
    info = dict(ori_shape=(70, 90), scale_factor=(1.0, 1.0))
    head = model.roi_head.mask_head
    head.class_agnostic = True
    expected = head._predict_by_feat_single(
        logits.clone(),
        boxes.clone(),
        None,
        info,
        model.roi_head.test_cfg | dict(mask_thr_binary=threshold),
    )
    pasted = paste_masks(logits[:, 0].numpy(), boxes.numpy(), 70, 90, threshold)
    assert expected.sum() > 1000
    assert np.count_nonzero(pasted != expected.numpy()) <= 2


@pytest.mark.slow
def test_the_whole_detector_in_onnxruntime(settings, tmp_path):
    """This includes a Faster R-CNN, whose graph is the same without the masks."""
    levels = TWO_LEVELS | {'roi_head.mask_roi_extractor.featmap_strides': [2, 4]}
    model = detector(settings, **levels)
    graph = detector_graph(model)
    nodes = exported(graph, tmp_path / 'detector.onnx').graph.node
    operators = {(node.domain, node.op_type) for node in nodes}
    assert {domain for domain, _ in operators} == {''}
    assert {('', 'NonMaxSuppression'), ('', 'RoiAlign')} <= operators
    beside = json.loads((tmp_path / 'detector.onnx.json').read_text())
    assert [(output['name'], output['shape']) for output in beside['outputs']] == [
        ('boxes', ['batch', 30, 4]),
        ('scores', ['batch', 30]),
        ('labels', ['batch', 30]),
        ('masks', ['batch', 30, 28, 28]),
    ]
    assert beside['mask_threshold'] == beside['iou_threshold'] == 0.5
    assert beside['score_threshold'] == 0.05


def test_a_detector_of_boxes_has_its_own_graph():
    model = detector(small_settings(CONFIG))
    assert type(detector_graph(model)) is FasterRCNNGraph
    with pytest.raises(InvalidArgument, match='FasterRCNN finds boxes alone'):
        MaskRCNNGraph(model)


def test_shared_features_have_no_graph(settings):
    model = detector(settings, **{'roi_head.mask_roi_extractor': None})
    with pytest.raises(InvalidArgument, match='no graph: give it a mask_roi_extractor'):
        MaskRCNNGraph(model)


def test_carafe_has_no_graph(settings):
    model = detector(settings)
    model.roi_head.mask_head.upsample_method = 'carafe'
    with pytest.raises(InvalidArgument, match='upsample_cfg type carafe has no graph'):
        MaskRCNNGraph(model)
