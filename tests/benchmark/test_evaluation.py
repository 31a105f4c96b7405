"""Detection files are checked before any computation."""

import json

import pytest

from rexdense.benchmark.workloads.evaluation import read_detections
from rexdense.errors import InvalidArgument

MASK = dict(size=[10, 10], counts='0T3')
WHOLE = dict(image_id=1, category_id=1, score=0.5, bbox=[0, 0, 5, 5.5], segmentation=MASK)


def write(tmp_path, **changes):
    path = tmp_path / 'detections.json'
    path.write_text(json.dumps([WHOLE, {**WHOLE, **changes}]))
    return path


@pytest.mark.parametrize('iou_type', ['bbox', 'segm'])
def test_whole_detections(tmp_path, iou_type):
    assert read_detections(write(tmp_path), iou_type) == [WHOLE, WHOLE]


@pytest.mark.parametrize(
    ('iou_type', 'changes', 'what'),
    [
        ('bbox', dict(score='0.5'), 'score'),
        ('bbox', dict(score=None), 'score'),
        ('segm', dict(score=float('nan')), 'score'),
        ('bbox', dict(bbox=[1, 2, 3]), 'bbox that is not four numbers'),
        ('bbox', dict(bbox=['1', 2, 3, 4]), 'bbox'),
        ('bbox', dict(bbox=None), 'bbox'),
        ('segm', dict(segmentation=[[0, 0, 1e9, 0, 1e9, 1e9]]), 'segmentation that is no run'),
        ('segm', dict(segmentation=dict(counts='0T3')), 'segmentation'),
        ('segm', dict(segmentation=MASK | dict(size=['10', 10])), 'segmentation'),
        ('segm', dict(segmentation=MASK | dict(counts=[0, 100])), 'segmentation'),
        # pycocotools never ends with this one.
        ('segm', dict(segmentation=MASK | dict(counts='0d3')), 'segmentation'),
    ],
)
def test_a_detection_at_fault_is_named(tmp_path, iou_type, changes, what):
    with pytest.raises(InvalidArgument, match=rf'^--detections .*: detection 2 has a {what}'):
        read_detections(write(tmp_path, **changes), iou_type)
