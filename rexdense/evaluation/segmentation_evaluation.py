"""The metrics of semantic segmentation, from a confusion matrix and boundary areas."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rexdense.text_table import text_table


def confusion_matrix(
    truth: np.ndarray, prediction: np.ndarray, num_classes: int, void: int = 255
) -> np.ndarray:
    """Count the pixels of each class (row) that were predicted as each class (column).

    Args:
        truth: (H, W) of class indices, or ``void``, which is left out.
        prediction: (H, W) of class indices.

    Example:
        >>> confusion_matrix(np.array([[0, 1, 255]]), np.array([[0, 0, 1]]), num_classes=2)
        array([[1, 0],
               [1, 0]])
    """
    labelled = truth != void
    pairs = truth[labelled].astype(np.int64) * num_classes + prediction[labelled]
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


@dataclass(frozen=True)
class SegmentationEvaluation:
    """The metrics of semantic segmentation, from 0 to 1; NaN if there is nothing to measure.

    Attributes:
        metrics: ``mIoU``, ``mBoundaryIoU``, ``mDice`` and ``mAcc`` are means over classes;
            ``aAcc`` is the pixel accuracy.
        per_class: ``IoU``, ``BoundaryIoU``, ``Dice`` and ``Acc`` (the pixel accuracy within the
            class) by class. A class that is neither in the truth nor in a prediction has NaN and is
            left out of the means.
        confusion: (C, C): pixels of each class (row) predicted as each class (column).
    """

    metrics: Mapping[str, float]
    per_class: Mapping[str, Mapping[str, float]]
    confusion: np.ndarray

    @property
    def absent(self) -> list[str]:
        """The classes that are neither in the truth nor in a prediction."""
        found = self.confusion.sum(0) + self.confusion.sum(1)
        return [name for name, pixels in zip(self.per_class, found, strict=True) if not pixels]

    def table(self) -> str:
        """Return the metrics as a table with a row per class; NaN is '-'."""
        columns = [name[1:] for name in self.metrics if name.startswith('m')]
        rows = [['class', 'pixels', *columns]]
        for (name, values), pixels in zip(
            self.per_class.items(), self.confusion.sum(1), strict=True
        ):
            rows.append([name, str(pixels), *(_shown(values[column]) for column in columns)])
        means = [_shown(self.metrics[f'm{column}']) for column in columns]
        rows.append(['all', str(self.confusion.sum()), *means])
        accuracy = _shown(self.metrics['aAcc'])
        lines = [text_table(rows), f'share of all pixels that are right {accuracy}']
        if self.absent:
            count = len(self.absent)
            lines.append(
                f'{count} {"class" if count == 1 else "classes"} left out, in neither the truth '
                f'nor a prediction: {", ".join(self.absent)}'
            )
        return '\n'.join(lines)


def _shown(value: float) -> str:
    return '-' if np.isnan(value) else f'{value:.3f}'


def evaluate_segmentation(
    classes: Sequence[str],
    confusion: np.ndarray,
    boundary_intersection: np.ndarray,
    boundary_union: np.ndarray,
) -> SegmentationEvaluation:
    """Return the metrics of a whole data set.

    Args:
        confusion: (C, C), the sum over the images of :func:`confusion_matrix`.
        boundary_intersection, boundary_union: (C,), the sums over the images of
            :func:`~rexdense.evaluation.boundaries.boundary_areas`.
    """
    right = np.diagonal(confusion)
    of_truth, of_prediction = confusion.sum(1), confusion.sum(0)
    by_class = {
        'IoU': _ratio(right, of_truth + of_prediction - right),
        'BoundaryIoU': _ratio(boundary_intersection, boundary_union),
        'Dice': _ratio(2 * right, of_truth + of_prediction),
        'Acc': _ratio(right, of_truth),
    }
    metrics = {f'm{name}': _mean(values) for name, values in by_class.items()}
    metrics['aAcc'] = float(_ratio(right.sum(), confusion.sum()))
    per_class = {
        class_name: {name: float(values[index]) for name, values in by_class.items()}
        for index, class_name in enumerate(classes)
    }
    return SegmentationEvaluation(metrics, per_class, confusion)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole; NaN if the whole is 0."""
    with np.errstate(invalid='ignore'):
        return np.divide(part, whole)


def _mean(values: np.ndarray) -> float:
    """Return the mean of the values that are not NaN; NaN if all are."""
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else float('nan')
