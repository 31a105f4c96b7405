"""Metrics of image classification: accuracy, per-class recall and precision, calibration."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rexdense.errors import InvalidArgument

CALIBRATION_BINS = 15


@dataclass(frozen=True)
class ClassificationEvaluation:
    """Metrics of a set of predictions.

    Attributes:
        metrics: top1, top5 (with more than 5 classes), mean_class_accuracy and calibration_error,
            from 0 to 1.
        per_class: Recall ('accuracy'), precision and number of images of each class with images.
        confusion: (classes, classes) counts; rows are the truth, columns the prediction.
    """

    metrics: dict[str, float]
    per_class: dict[str, dict[str, float]]
    confusion: np.ndarray


def evaluate_classification(
    scores: np.ndarray, labels: np.ndarray, classes: Sequence[str]
) -> ClassificationEvaluation:
    """Return the metrics of predictions.

    Args:
        scores: (images, classes); the highest score is the prediction, and its value the
            confidence.
        labels: (images,) of integers.

    Raises:
        InvalidArgument: scores are NaN or infinite, labels are no classes, the numbers of scores
            and labels differ, or two classes have the same name.

    Example:
        >>> scores = np.array([[0.9, 0.1], [0.6, 0.4]])
        >>> evaluate_classification(scores, np.array([0, 1]), ('cat', 'dog')).metrics['top1']
        0.5
    """
    count = len(classes)
    _require_scores(scores, labels, classes)
    # Among equal scores the truth ranks last, so that a constant prediction gains nothing.
    truth = np.take_along_axis(scores, labels[:, None], 1)
    rank = (scores > truth).sum(1) + (scores == truth).sum(1) - 1
    predicted = scores.argmax(1)
    right = predicted == labels
    confusion = np.bincount(labels * count + predicted, minlength=count**2).reshape(count, count)
    totals, hits, found = confusion.sum(1), confusion.diagonal(), confusion.sum(0)
    per_class = {
        name: dict(
            accuracy=float(hits[index] / totals[index]),
            precision=float(hits[index] / found[index]) if found[index] else 0.0,
            images=int(totals[index]),
        )
        for index, name in enumerate(classes)
        if totals[index]
    }
    metrics = dict(top1=float((rank == 0).mean()))
    if count > 5:
        metrics['top5'] = float((rank < 5).mean())
    metrics['mean_class_accuracy'] = float(np.mean([row['accuracy'] for row in per_class.values()]))
    metrics['calibration_error'] = calibration_error(scores.max(1), right)
    return ClassificationEvaluation(metrics, per_class, confusion)


def _require_scores(scores: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> None:
    count = len(classes)
    if scores.shape != (len(labels), count) or not len(labels):
        raise InvalidArgument(
            f'scores={scores.shape} of {len(labels)} labels and {count} classes: give '
            '(images, classes), of one image at least'
        )
    # NaN is neither above nor below another score, so the truth would rank first.
    broken = np.flatnonzero(~np.isfinite(scores).all(1))
    if len(broken):
        raise InvalidArgument(
            f'scores of {len(broken)} of {len(scores)} images are not finite (first image '
            f'{broken[0]}), so that they have no order: look at the weights and at mixed precision'
        )
    if not (labels.min() >= 0 and labels.max() < count):
        wrong = labels[(labels < 0) | (labels >= count)][0]
        raise InvalidArgument(f'label {wrong} is no class: there are {count}, 0 to {count - 1}')
    if len(set(classes)) < count:
        twice = next(name for name in classes if list(classes).count(name) > 1)
        raise InvalidArgument(f'classes names {twice!r} twice: give each a name of its own')


def calibration_error(
    confidence: np.ndarray, right: np.ndarray, bins: int = CALIBRATION_BINS
) -> float:
    """Return the expected calibration error: the mean difference between confidence and accuracy in
    bins of equal width, weighted by the number of images (Guo et al. 2017, equation 3).

    Example:
        >>> calibration_error(np.array([0.8, 0.8]), np.array([True, False]))
        0.3
    """
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    difference = np.bincount(place, confidence - right, minlength=bins)
    return round(float(np.abs(difference).sum() / len(confidence)), 12)
