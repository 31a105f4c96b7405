"""The quality of the prediction for one image, as a number for ranking images."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from rexdense.evaluation.depth_evaluation import evaluate_depth
from rexdense.evaluation.segmentation_evaluation import confusion_matrix
from rexdense.tasks.classification import Classification
from rexdense.tasks.depth import Depth
from rexdense.tasks.detection import LOWEST_SCORE_ON_A_SHEET, Detection
from rexdense.tasks.segmentation import Segmentation
from rexdense.tasks.task import Example, Task, map_of
from rexdense.visualization.boxes import Objects, box_overlaps

MATCHED = 0.5
"""IoU above which a predicted object matches an annotated one, as in panoptic quality."""
VOID = 255


class Quality(NamedTuple):
    """The number that ranks the images of a task.

    Attributes:
        name: Name in words.
        measure: Function that returns the value for an example; NaN if there is nothing to measure.
        higher_is_better: Whether the best image has the highest value.
    """

    name: str
    measure: Callable[[Example], float]
    higher_is_better: bool = True

    def order(self, value: float) -> float:
        """Return the key that sorts the worst images first."""
        return value if self.higher_is_better else -value


def quality_of(task: Task) -> Quality:
    """Return the quality measure of a task."""
    return _QUALITIES[type(task)]


def _of_objects(example: Example) -> float:
    """Return the panoptic quality of the boxes of one image, over all classes.

    It is the sum of the IoUs of matched pairs, divided by the number of pairs plus half the number
    of unmatched boxes (Kirillov et al. 2019, equation 1). It is 1 if nothing is annotated and
    nothing found.
    """
    truth = Objects.annotated(
        [each for each in example.info['instances'] if not each.get('ignore_flag')]
    )
    found = Objects.predicted(example.sample, LOWEST_SCORE_ON_A_SHEET)
    if not len(truth.boxes) and not len(found.boxes):
        return 1.0
    overlaps = box_overlaps(found.boxes, truth.boxes)
    overlaps[found.labels[:, None] != truth.labels[None]] = 0
    pairs, summed = 0, 0.0
    # Starts with the largest overlap because boxes of a detector may overlap, unlike panoptic
    # segments.
    while overlaps.size and overlaps.max() > MATCHED:
        place = np.unravel_index(overlaps.argmax(), overlaps.shape)
        pairs, summed = pairs + 1, summed + float(overlaps[place])
        overlaps[place[0]], overlaps[:, place[1]] = 0, 0
    unmatched = len(truth.boxes) + len(found.boxes) - 2 * pairs
    return summed / (pairs + unmatched / 2)


def _of_labels(example: Example) -> float:
    """Return the mean IoU of the classes in the truth or the prediction of an image."""
    maps = [map_of(example.sample, key).astype(np.int64) for key in ('gt_sem_seg', 'pred_sem_seg')]
    void = int(example.info.get('ignore_index', VOID))
    labelled = [labels[maps[0] != void] for labels in maps]
    if not labelled[0].size:
        return float('nan')
    classes = 1 + max(int(labels.max()) for labels in labelled)
    counts = confusion_matrix(*maps, classes, void)
    union = counts.sum(0) + counts.sum(1) - counts.diagonal()
    return float((counts.diagonal()[union > 0] / union[union > 0]).mean())


def _of_depth(example: Example) -> float:
    """Return the mean relative error of the depth of an image."""
    true, predicted = (map_of(example.sample, key) for key in ('gt_depth_map', 'pred_depth_map'))
    counts = np.isfinite(true) & (true > 0) & (predicted > 0)
    if not counts.any():
        return float('nan')
    return evaluate_depth(predicted[counts], true[counts])['abs_rel']


def _of_class(example: Example) -> float:
    """Return the score of the true class of an image."""
    return float(example.sample.scores[int(example.sample.gt_label)])


_QUALITIES = {
    Detection: Quality('quality of the boxes', _of_objects),
    Segmentation: Quality('mean IoU', _of_labels),
    Depth: Quality('error as a share of the depth', _of_depth, higher_is_better=False),
    Classification: Quality('score of the true class', _of_class),
}
