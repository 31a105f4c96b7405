"""The metrics of semantic segmentation as a metric of mmengine's evaluator."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from rexdense.arch.checks import is_integer, is_number
from rexdense.errors import DataError, InvalidArgument
from rexdense.evaluation.boundaries import BOUNDARY_SHARE, boundary_areas
from rexdense.evaluation.segmentation_evaluation import (
    SegmentationEvaluation,
    confusion_matrix,
    evaluate_segmentation,
)
from rexdense.registry import METRICS


@dataclass(frozen=True)
class _Counts:
    """Counts of one image: the nonzero cells of its confusion matrix, and its boundary areas.

    It is no named tuple, because mmengine would take it apart.
    """

    cells: np.ndarray
    pixels: np.ndarray
    boundary_intersection: np.ndarray
    boundary_union: np.ndarray


@METRICS.register_module()
class SegmentationMetric(BaseMetric):
    """IoU, boundary IoU, Dice and accuracy of semantic segmentation, unrounded, from 0 to 1.

    As in ``mmseg.IoUMetric``, intersections and unions are summed over all images of all processes
    before the division. Void pixels of the truth are ignored. The results are named
    ``segmentation/mIoU``, ``segmentation/mBoundaryIoU``, ``segmentation/mDice``,
    ``segmentation/mAcc``, ``segmentation/aAcc`` and ``segmentation/IoU/<class>``,
    ``segmentation/BoundaryIoU/<class>`` and so on.

    Args:
        ignore_index: The void label.
        boundary_share: Width of a boundary as a share of the image's diagonal.
        show_table: Whether the metrics are logged as a table.
        collect_device, prefix: See mmengine's ``BaseMetric``.

    Attributes:
        evaluation: The
            :class:`~rexdense.evaluation.segmentation_evaluation.SegmentationEvaluation` of the last
            validation; None before.

    Raises:
        InvalidArgument: ``boundary_share`` is not between 0 and 1, or ``ignore_index`` is no whole
            number.
    """

    default_prefix = 'segmentation'

    def __init__(
        self,
        ignore_index: int = 255,
        boundary_share: float = BOUNDARY_SHARE,
        show_table: bool = True,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        if not is_integer(ignore_index):
            raise InvalidArgument(f'ignore_index={ignore_index!r}: give a whole number')
        if not is_number(boundary_share) or not 0 < boundary_share < 1:
            raise InvalidArgument(
                f'boundary_share={boundary_share!r}: give a number between 0 and 1'
            )
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.ignore_index = ignore_index
        self.boundary_share = boundary_share
        self.show_table = show_table
        self.evaluation: SegmentationEvaluation | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names of the evaluated data set; raise DataError if it has none."""
        classes = (self.dataset_meta or {}).get('classes')
        if not classes:
            raise DataError(
                'the dataset evaluated names no classes; state them in the config as '
                'metainfo=dict(classes=...) of the data set'
            )
        return tuple(classes)

    def process(self, data_batch: Any, data_samples: Sequence[Mapping]) -> None:
        """Count the pixels of a batch.

        Args:
            data_samples: mmseg's data samples as mappings, with ``pred_sem_seg`` and ``gt_sem_seg``
                of (1, H, W).

        Raises:
            DataError: an image has no truth, a truth of another size than the prediction, or labels
                beyond the classes.
        """
        for sample in data_samples:
            truth, prediction = self._label_maps(sample)
            num_classes = len(self.classes)
            matrix = confusion_matrix(truth, prediction, num_classes, self.ignore_index).ravel()
            cells = np.flatnonzero(matrix)
            areas = boundary_areas(
                truth, prediction, num_classes, self.ignore_index, self.boundary_share
            )
            self.results.append(_Counts(cells, matrix[cells], *areas))

    def _label_maps(self, sample: Mapping) -> tuple[np.ndarray, np.ndarray]:
        """Return the truth and the prediction, both (H, W) of int64, after checking them."""
        name = sample.get('img_path', 'an image')
        if 'gt_sem_seg' not in sample:
            raise DataError(
                f'{name} comes without a label map: load the annotations in the test pipeline'
            )
        truth, prediction = (
            sample[key]['data'].squeeze(0).cpu().numpy().astype(np.int64)
            for key in ('gt_sem_seg', 'pred_sem_seg')
        )
        if truth.shape != prediction.shape:
            raise DataError(
                f'the label map of {name} is {_size(truth)} pixels, the prediction '
                f'{_size(prediction)} (width x height): load the annotations after the resizing in '
                'the test pipeline'
            )
        for labels, what in ((truth, 'label map'), (prediction, 'prediction')):
            beyond = (labels < 0) | (labels >= len(self.classes))
            beyond &= truth != self.ignore_index
            if beyond.any():
                raise DataError(
                    f'the {what} of {name} has the label {labels[beyond].max()}, but there are '
                    f'{len(self.classes)} classes, 0 to {len(self.classes) - 1}, and void is '
                    f'{self.ignore_index}'
                )
        return truth, prediction

    def compute_metrics(self, results: Sequence[_Counts]) -> dict[str, float]:
        """Return the metrics by name."""
        num_classes = len(self.classes)
        confusion = np.zeros(num_classes**2, np.int64)
        areas = np.zeros((2, num_classes), np.int64)
        for counts in results:
            confusion[counts.cells] += counts.pixels
            areas += counts.boundary_intersection, counts.boundary_union
        evaluation = evaluate_segmentation(
            self.classes, confusion.reshape(num_classes, num_classes), *areas
        )
        self.evaluation = evaluation
        if not confusion.any():
            print_log(
                'no pixel of the truth bears a label, so there is nothing to measure',
                logger='current',
                level=logging.WARNING,
            )
        if self.show_table:
            print_log(f'semantic segmentation\n{evaluation.table()}', logger='current')
        metrics = dict(evaluation.metrics)
        for name in (name[1:] for name in evaluation.metrics if name.startswith('m')):
            metrics |= {
                f'{name}/{class_name}': values[name]
                for class_name, values in evaluation.per_class.items()
            }
        return metrics


def _size(labels: np.ndarray) -> str:
    return f'{labels.shape[1]} x {labels.shape[0]}'
