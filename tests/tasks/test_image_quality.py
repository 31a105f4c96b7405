"""The number by which images of a task are ordered."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip('mmengine')

from mmengine.structures import BaseDataElement, InstanceData, PixelData

from rexdense.tasks import Classification, Depth, Detection, Example, Segmentation
from rexdense.tasks.image_quality import quality_of

IMAGE = np.zeros((4, 4, 3), np.uint8)
CAT = dict(bbox=[0, 0, 10, 10], bbox_label=0, ignore_flag=0)
CROWD = dict(bbox=[0, 0, 99, 99], bbox_label=0, ignore_flag=1)


def found(*boxes):
    """A sample with boxes of (x1, y1, x2, y2, label, score)."""
    rows = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 6)
    instances = InstanceData(bboxes=rows[:, :4], labels=rows[:, 4].long(), scores=rows[:, 5])
    return BaseDataElement(pred_instances=instances)


@pytest.mark.parametrize(
    ('annotated', 'boxes', 'expected'),
    [
        ([CAT], [(0, 0, 10, 10, 0, 0.9)], 1),
        # Half of the box: an IoU of 0.5 does not count, 0.6 does.
        ([CAT], [(0, 0, 10, 5, 0, 0.9)], 0),
        ([CAT], [(0, 0, 10, 6, 0, 0.9)], 0.6),
        # Another class, or too low a score.
        ([CAT], [(0, 0, 10, 10, 1, 0.9)], 0),
        ([CAT], [(0, 0, 10, 10, 0, 0.4)], 0),
        # A pair, and a box of no object: 1 / (1 + 1/2).
        ([CAT], [(0, 0, 10, 10, 0, 0.9), (0, 0, 10, 9, 0, 0.9)], 2 / 3),
        ([CAT, CAT], [(0, 0, 10, 10, 0, 0.9)], 2 / 3),
        ([], [], 1),
        ([CROWD], [], 1),
        ([], [(0, 0, 10, 10, 0, 0.9)], 0),
    ],
)
def test_boxes(annotated, boxes, expected):
    quality = quality_of(Detection(dict(classes=('cat', 'dog'))))
    value = quality.measure(Example(IMAGE, found(*boxes), dict(instances=annotated)))
    assert value == pytest.approx(expected)


def maps(**values):
    return BaseDataElement(
        **{name: PixelData(data=torch.tensor(value)[None]) for name, value in values.items()}
    )


@pytest.mark.parametrize(
    ('truth', 'predicted', 'expected'),
    [
        ([[0, 1]], [[0, 1]], 1),
        ([[0, 1]], [[0, 0]], (1 / 2 + 0) / 2),
        # Void pixels and classes of neither do not count.
        ([[0, 255]], [[0, 3]], 1),
        ([[255, 255]], [[0, 1]], math.nan),
    ],
)
def test_label_maps(truth, predicted, expected):
    quality = quality_of(Segmentation(dict(classes=('a', 'b', 'c', 'd'))))
    sample = maps(gt_sem_seg=truth, pred_sem_seg=predicted)
    assert quality.measure(Example(IMAGE, sample, {})) == pytest.approx(expected, nan_ok=True)


def test_depth_is_better_where_the_error_is_less():
    quality = quality_of(Depth({}))
    # Of the pixels that were measured: 1 m of 2 m, and none of 4 m.
    sample = maps(gt_depth_map=[[2.0, 4.0, 0.0]], pred_depth_map=[[3.0, 4.0, 9.0]])
    assert quality.measure(Example(IMAGE, sample, {})) == pytest.approx(0.25)
    nothing = maps(gt_depth_map=[[0.0, 0.0]], pred_depth_map=[[3.0, 4.0]])
    assert math.isnan(quality.measure(Example(IMAGE, nothing, {})))
    assert sorted((0.5, 0.1), key=quality.order) == [0.5, 0.1]


def test_classes():
    quality = quality_of(Classification(dict(classes=('a', 'b'))))
    sample = SimpleNamespace(scores=torch.tensor([0.25, 0.75]), gt_label=torch.tensor(0))
    assert quality.measure(Example(IMAGE, sample, {})) == 0.25
    assert sorted((0.5, 0.1), key=quality.order) == [0.1, 0.5]
