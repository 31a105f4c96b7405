"""Accuracy, per-class accuracy, confusion and calibration, beside hand-made values."""

import numpy as np
import pytest
import torch

pytest.importorskip('mmengine')

from rexdense.errors import DataError, InvalidArgument
from rexdense.evaluation.classification_evaluation import calibration_error, evaluate_classification
from rexdense.evaluation.classification_metric import ClassificationMetric


def test_top1_and_top5_are_torchs():
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(200, 12, generator=generator).softmax(1)
    labels = torch.randint(12, (200,), generator=generator)
    found = evaluate_classification(scores.numpy(), labels.numpy(), [str(i) for i in range(12)])
    five = (scores.topk(5, 1).indices == labels[:, None]).any(1).float().mean()
    assert found.metrics['top1'] == pytest.approx(
        float((scores.argmax(1) == labels).float().mean())
    )
    assert found.metrics['top5'] == pytest.approx(float(five))
    assert found.confusion.sum() == 200
    assert found.confusion.diagonal().sum() / 200 == pytest.approx(found.metrics['top1'])


def test_classes_without_images_have_no_part_in_the_mean():
    scores = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1]])
    found = evaluate_classification(scores, np.array([0, 1, 1]), ('a', 'b', 'c'))
    assert found.per_class == {
        'a': dict(accuracy=1.0, precision=0.5, images=1),
        'b': dict(accuracy=0.5, precision=1.0, images=2),
    }
    assert found.metrics['mean_class_accuracy'] == 0.75
    assert 'top5' not in found.metrics


def test_a_constant_prediction_gains_nothing_from_ties():
    found = evaluate_classification(np.full((10, 10), 0.1), np.arange(10), list('0123456789'))
    assert found.metrics['top1'] == found.metrics['top5'] == 0


@pytest.mark.parametrize(
    ('scores', 'labels', 'classes', 'said'),
    [
        ([[0.9, 0.1], [np.nan, 0.4]], [0, 1], 'ab', r'of 1 of 2 images .* \(first image 1\)'),
        ([[0.9, 0.1], [np.inf, 0.4]], [0, 1], 'ab', 'not finite'),
        ([[np.nan] * 2], [0], 'ab', 'of 1 of 1 images are not finite'),
        ([[0.9, 0.1]], [2], 'ab', 'label 2 is no class: there are 2, 0 to 1'),
        ([[0.9, 0.1]], [-1], 'ab', 'label -1 is no class'),
        ([[0.9, 0.1]], [0, 1], 'ab', r'scores=\(1, 2\) of 2 labels'),
        ([[0.9, 0.1]], [0], 'abc', 'and 3 classes'),
        (np.zeros((0, 2)), np.zeros(0, int), 'ab', 'one image at least'),
        ([[0.9, 0.1]], [0], 'aa', "names 'a' twice"),
    ],
)
def test_unfit_scores_and_labels_are_refused(scores, labels, classes, said):
    with pytest.raises(InvalidArgument, match=said):
        evaluate_classification(np.array(scores), np.array(labels), list(classes))


def test_calibration_of_known_bins():
    # Two bins: 0.9 with half right is 0.4 off, 0.5 with all right is 0.5 off.
    confidence = np.array([0.9, 0.9, 0.5, 0.5])
    right = np.array([True, False, True, True])
    assert calibration_error(confidence, right) == pytest.approx(0.45)
    assert calibration_error(np.ones(3), np.ones(3, bool)) == 0


def test_the_metric_names_its_results():
    metric = ClassificationMetric()
    metric.dataset_meta = dict(classes=('cat', 'dog'))
    metric.process({}, [dict(scores=torch.tensor([0.9, 0.1]), gt_label=0)])
    metric.process({}, [dict(scores=torch.tensor([0.6, 0.4]), gt_label=1)])
    found = metric.evaluate(2)
    assert found['classification/top1'] == 0.5
    assert found['classification/accuracy/dog'] == 0.0
    assert metric.evaluation.confusion.tolist() == [[1, 0], [1, 0]]


def test_an_image_without_a_label_is_told():
    with pytest.raises(DataError, match=r'a\.jpg'):
        ClassificationMetric().process({}, [dict(scores=torch.ones(2), img_path='a.jpg')])
