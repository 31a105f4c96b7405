"""The metrics of semantic segmentation as a metric of mmengine's evaluator."""

import math

import pytest

pytest.importorskip('mmseg')

import numpy as np
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.evaluation import IoUMetric
from mmseg.structures import SegDataSample

from rexdense.errors import DataError, InvalidArgument
from rexdense.evaluation import SegmentationMetric
from tests.evaluation.evaluator import evaluate
from tests.mmengine_log import mmengine_messages


def sample_of(truth, prediction, **metainfo):
    sample = SegDataSample(metainfo=metainfo)
    for key, labels in (('gt_sem_seg', truth), ('pred_sem_seg', prediction)):
        if labels is not None:
            sample.set_data({key: PixelData(data=torch.as_tensor(labels)[None])})
    return sample


def random_samples(num_classes, present, count=5, seed=0):
    """Label maps of several sizes, void here and there, predictions right two times of three."""
    random = np.random.default_rng(seed)
    samples = []
    for _ in range(count):
        size = random.integers(20, 40, 2)
        truth = random.integers(0, present, size)
        prediction = np.where(random.random(size) < 0.67, truth, random.integers(0, present, size))
        truth[random.random(size) < 0.1] = 255
        samples.append(sample_of(truth, prediction))
    return samples


CONFIG = {'type': 'rexdense.SegmentationMetric'}


@pytest.mark.parametrize(('num_classes', 'present'), [(2, 2), (11, 11), (7, 4), (150, 150)])
def test_metrics_are_those_of_mmseg(num_classes, present):
    classes = [f'class {index}' for index in range(num_classes)]
    samples = random_samples(num_classes, present)
    ours = evaluate(CONFIG, classes, samples)
    stock = IoUMetric(iou_metrics=['mIoU', 'mDice'])
    theirs = evaluate(stock, classes, samples)
    for name in ('mIoU', 'mDice', 'mAcc', 'aAcc'):
        assert 0 < ours[f'segmentation/{name}'] < 1
        assert round(100 * ours[f'segmentation/{name}'], 2) == pytest.approx(
            theirs[name], abs=0.011
        )
    areas = [
        IoUMetric.intersect_and_union(
            sample.pred_sem_seg.data[0], sample.gt_sem_seg.data[0], num_classes, 255
        )
        for sample in samples
    ]
    intersection, union, *_ = (sum(parts).double() for parts in zip(*areas, strict=True))
    for name, iou in zip(classes, (intersection / union).tolist(), strict=True):
        assert ours[f'segmentation/IoU/{name}'] == pytest.approx(iou, nan_ok=True, abs=0)


def test_metrics_by_hand(caplog):
    truth = np.zeros((4, 4), int)
    truth[:, 2:] = 1
    truth[0, 0] = 255
    prediction = np.zeros((4, 4), int)
    prediction[0, 0] = 1
    prediction[:, 3] = 1
    metric = SegmentationMetric()
    with mmengine_messages(caplog) as messages:
        metrics = evaluate(metric, ['left', 'right', 'nowhere'], [sample_of(truth, prediction)])
    # 7 labelled pixels are left, 8 right, of which half are found.
    assert metric.evaluation.confusion.tolist() == [[7, 0, 0], [4, 4, 0], [0, 0, 0]]
    expected = {
        'IoU': (7 / 11, 4 / 8),
        # One pixel wide. In the truth every pixel of both sides is at its contour: 7 and 8. Of the
        # 11 that are predicted as left, all but the middle two of the second column are, and 5 of
        # these are left in truth too; all 4 that are predicted as right.
        'BoundaryIoU': (5 / (7 + 9 - 5), 4 / 8),
        'Dice': (14 / 18, 8 / 12),
        'Acc': (1, 4 / 8),
    }
    for name, values in expected.items():
        left, right = (metrics[f'segmentation/{name}/{side}'] for side in ('left', 'right'))
        assert (left, right) == pytest.approx(values), name
        assert math.isnan(metrics[f'segmentation/{name}/nowhere'])
        assert metrics[f'segmentation/m{name}'] == pytest.approx(sum(values) / 2)
    assert metrics['segmentation/aAcc'] == pytest.approx(11 / 15)
    assert len(metrics) == 5 + 4 * 3
    (table,) = messages
    assert table.splitlines()[1].split() == ['class', 'pixels', *expected]
    assert table.splitlines()[4].split() == ['nowhere', '0', *'----']
    assert table.splitlines()[-1] == (
        '1 class left out, in neither the truth nor a prediction: nowhere'
    )


def test_one_output_channel():
    truth = np.array([[0, 1, 1, 255]])
    metrics = evaluate(
        CONFIG, ['background', 'cell'], [sample_of(truth, np.array([[0.0, 1.0, 0.0, 1.0]]))]
    )
    assert metrics['segmentation/IoU/background'] == metrics['segmentation/IoU/cell'] == 0.5


def test_class_that_is_predicted_and_nowhere_true():
    metrics = evaluate(CONFIG, ['a', 'b'], [sample_of(np.zeros((3, 3), int), np.eye(3, dtype=int))])
    assert metrics['segmentation/IoU/b'] == 0
    assert math.isnan(metrics['segmentation/Acc/b'])
    assert metrics['segmentation/mIoU'] == pytest.approx((6 / 9) / 2)


def test_void_all_over(caplog):
    samples = [sample_of(np.full((3, 3), 255), np.zeros((3, 3), int))]
    with mmengine_messages(caplog) as messages:
        metrics = evaluate(CONFIG | {'show_table': False}, ['a', 'b'], samples)
    assert all(math.isnan(value) for value in metrics.values())
    assert messages == ['no pixel of the truth bears a label, so there is nothing to measure']


def test_images_padded_for_several_processes_do_not_count():
    sample = sample_of(np.array([[0, 1]]), np.array([[0, 0]]))
    other = sample_of(np.array([[1, 1]]), np.array([[1, 1]]))
    evaluator = Evaluator(CONFIG)
    evaluator.dataset_meta = {'classes': ('a', 'b')}
    evaluator.process([sample, other])
    assert evaluator.evaluate(1)['segmentation/aAcc'] == 0.5


@pytest.mark.parametrize(
    ('truth', 'prediction', 'expected'),
    [
        (None, np.zeros((2, 3), int), 'a.png comes without a label map: load the annotations in'),
        (
            np.zeros((2, 3), int),
            np.zeros((4, 6), int),
            'the label map of a.png is 3 x 2 pixels, the prediction 6 x 4 (width x height): load',
        ),
        (np.full((2, 3), 2), np.zeros((2, 3), int), 'the label map of a.png has the label 2, but'),
        (np.zeros((2, 3), int), np.full((2, 3), 7), 'the prediction of a.png has the label 7, but'),
        (np.full((2, 3), -1), np.zeros((2, 3), int), 'the label map of a.png has the label -1, bu'),
        (np.zeros((2, 3), int), np.full((2, 3), -1), 'the prediction of a.png has the label -1, b'),
        (np.full((2, 3), 254), np.zeros((2, 3), int), 'the label map of a.png has the label 254,'),
    ],
)
def test_label_maps_that_cannot_be_compared(truth, prediction, expected):
    with pytest.raises(DataError) as caught:
        evaluate(CONFIG, ['a', 'b'], [sample_of(truth, prediction, img_path='a.png')])
    assert str(caught.value).startswith(expected)


def test_dataset_without_classes():
    with pytest.raises(DataError, match='names no classes; state them in the config'):
        evaluate(CONFIG, (), [sample_of(np.zeros((2, 2), int), np.zeros((2, 2), int))])


@pytest.mark.parametrize('share', [0, 1, -0.1, '0.1', None])
def test_boundary_that_is_no_share(share):
    with pytest.raises(InvalidArgument, match='give a number between 0 and 1'):
        SegmentationMetric(boundary_share=share)


def test_void_may_be_any_label():
    for void in (-1, 254, 1000, 70000):
        truth, prediction = np.array([[0, 1, void]]), np.array([[0, 0, 1]])
        metrics = evaluate(
            CONFIG | {'ignore_index': void}, ['a', 'b'], [sample_of(truth, prediction)]
        )
        assert metrics['segmentation/aAcc'] == 0.5
        assert metrics['segmentation/IoU/b'] == 0


@pytest.mark.parametrize('value', ['255', None, 1.5, True])
def test_void_label_that_is_none(value):
    with pytest.raises(InvalidArgument, match=r'ignore_index=.*: give a whole number'):
        SegmentationMetric(ignore_index=value)


def test_nothing_evaluated():
    metrics = evaluate(CONFIG, ['a', 'b'], [])
    assert metrics and all(math.isnan(value) for value in metrics.values())
