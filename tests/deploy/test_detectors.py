"""Graphs of Faster R-CNN: the same detections as mmdet. tests/deploy/test_mask_rcnn.py runs a file
of this graph and a mask head."""

import pytest

pytest.importorskip('mmdet')
pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')

import torch
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder

from rexdense.deploy import export_graph
from rexdense.deploy.detection import FasterRCNNGraph, RPNGraph
from rexdense.deploy.detection.boxes import BoxDecoder
from rexdense.deploy.detection.matching import detection_errors
from rexdense.deploy.formats import GRAPH_FORMATS
from rexdense.errors import InvalidArgument
from tests.deploy.small_detectors import detector, small_settings
from tests.models.networks import image, relative_error
from tests.tiny_run import CONFIG

pytestmark = pytest.mark.usefixtures('fresh_mmengine')


@pytest.fixture(scope='module')
def settings():
    return small_settings(CONFIG)


@pytest.mark.parametrize('clip_border', [True, False])
def test_boxes_grow_and_shrink_no_further_than_mmdets(clip_border):
    """With deltas that a trained model rarely predicts."""
    coder = DeltaXYWHBBoxCoder(target_stds=(0.1, 0.1, 0.2, 0.2), clip_border=clip_border)
    corners = torch.rand(50, 4, generator=torch.Generator().manual_seed(0)) * 50
    boxes = torch.cat((corners[:, :2], corners[:, :2] + corners[:, 2:] + 1), dim=1)
    deltas = torch.linspace(-60, 60, 200).reshape(50, 4)
    expected = coder.decode(boxes, deltas, max_shape=(80, 120))
    torch.testing.assert_close(BoxDecoder(coder)(boxes, deltas, 80, 120), expected)


def found_by_mmdet(model, images):
    with torch.no_grad():
        return FasterRCNNGraph(model).reference(images)


@pytest.mark.parametrize(
    'changes',
    [
        {},
        {'test_cfg.rcnn.nms': dict(type='nms', iou_threshold=0.3, class_agnostic=True)},
        {'test_cfg.rcnn.score_thr': 0.4, 'test_cfg.rcnn.max_per_img': 5},
        {'test_cfg.rcnn.max_per_img': -1},
        {'test_cfg.rpn.nms': dict(type='nms', iou_threshold=0.4), 'test_cfg.rpn.nms_pre': 1000},
        {'test_cfg.rpn.min_bbox_size': 20},
        {'roi_head.bbox_head.reg_class_agnostic': True},
        {'roi_head.bbox_roi_extractor.roi_layer.sampling_ratio': 0},
        {'roi_head.bbox_roi_extractor.roi_layer.aligned': False},
    ],
    ids=lambda changes: ', '.join(changes) or 'as configured',
)
def test_it_computes_what_mmdet_does(settings, changes):
    """Every setting of the graph, at a size that needs padding."""
    model = detector(settings, **changes)
    graph = FasterRCNNGraph(model)
    images = graph.example(2, 3, 97, 131)
    with torch.no_grad():
        found = graph(images)
    expected = found_by_mmdet(model, images)
    assert (expected['labels'] >= 0).sum() > 5
    errors = detection_errors(found, expected)
    assert max(errors.values()) < 1e-4, errors


def test_the_region_proposal_network(settings, tmp_path):
    model = detector(settings)
    report = export_graph(RPNGraph(model), tmp_path / 'rpn.pt', 'torchscript')
    images = image(1, 3, 97, 131, seed=4)
    found = GRAPH_FORMATS['torchscript'].open(report.path)(images)
    with torch.no_grad():
        scores, deltas = model.rpn_head(model.extract_feat(images))
    for level, stride in enumerate((4, 8, 16, 32, 64)):
        assert relative_error(found[f'cls_logits_stride_{stride}'], scores[level]) < 1e-4
        assert relative_error(found[f'box_deltas_stride_{stride}'], deltas[level]) < 1e-4
    anchors = report.description['anchors']
    assert [level['stride'] for level in anchors] == [[s, s] for s in (4, 8, 16, 32, 64)]
    torch.testing.assert_close(
        torch.tensor(anchors[1]['boxes']), model.rpn_head.prior_generator.base_anchors[1]
    )


@pytest.mark.parametrize(
    ('changes', 'expected'),
    [
        (
            {'test_cfg.rcnn.nms': dict(type='soft_nms', iou_threshold=0.5)},
            r'test_cfg\.rcnn\.nms=.*soft_nms.*: ONNX has plain suppression alone',
        ),
        ({'test_cfg.rpn.nms_pre': -1}, r'test_cfg\.rpn\.nms_pre=-1: a graph needs a number of'),
        (
            {'roi_head.bbox_roi_extractor.roi_layer.pool_mode': 'max'},
            "RoIAlign with pool_mode='max' has no graph",
        ),
        (
            {'roi_head.type': 'mmdet.DoubleHeadRoIHead', 'roi_head.reg_roi_scale_factor': 1.3},
            "a DoubleHeadRoIHead for its region head; a graph is known for mmdet's StandardRoIHead",
        ),
    ],
)
def test_detectors_without_a_graph_are_refused(settings, changes, expected):
    with pytest.raises(InvalidArgument, match=expected):
        FasterRCNNGraph(detector(settings, **changes))


def test_detectors_are_onnx_alone(settings, tmp_path):
    with pytest.raises(InvalidArgument, match='FasterRCNNGraph has no form in torch_export: it is'):
        export_graph(FasterRCNNGraph(detector(settings)), tmp_path / 'a.pt2', 'torch_export')


def test_detections_without_a_counterpart():
    one = dict(
        boxes=torch.tensor([[[0.0, 0.0, 8.0, 8.0], [2.0, 2.0, 4.0, 4.0]]]),
        scores=torch.tensor([[0.9, 0.5]]),
        labels=torch.tensor([[1, 0]]),
    )
    assert detection_errors(one, one) == dict(boxes=0.0, scores=0.0, labels=0.0)
    moved = one | dict(boxes=one['boxes'] + torch.tensor([0.0, 0.0, 0.0, 0.8]))
    assert detection_errors(moved, one)['boxes'] == pytest.approx(0.8 / 8.8)
    fewer = {name: value.clone() for name, value in one.items()}
    fewer['labels'][0, 1] = -1
    for found, expected in ((fewer, one), (one, fewer)):
        assert detection_errors(found, expected)['labels'] == torch.inf
    unknown = one | dict(scores=torch.tensor([[0.9, torch.nan]]))
    assert detection_errors(unknown, one)['labels'] == torch.inf
