"""The metrics of image classification for mmengine's evaluator."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from rexdense.errors import DataError
from rexdense.evaluation.classification_evaluation import (
    ClassificationEvaluation,
    evaluate_classification,
)
from rexdense.registry import METRICS

__all__ = ['ClassificationMetric']


@METRICS.register_module()
class ClassificationMetric(BaseMetric):
    """Top-1, top-5, accuracy by class and calibration error, from 0 to 1.

    The results are named ``classification/top1``, ``classification/top5`` (with more than 5
    classes), ``classification/mean_class_accuracy``, ``classification/calibration_error`` and
    ``classification/accuracy/<class>``; the confusion matrix is left in ``evaluation``.

    Args:
        per_class: Report the accuracy of each class; off where there are many.
        collect_device, prefix: See mmengine's ``BaseMetric``.
    """

    default_prefix = 'classification'

    def __init__(
        self, per_class: bool = True, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.per_class = per_class
        self.evaluation: ClassificationEvaluation | None = None

    def process(self, data_batch: Any, data_samples: Sequence[Mapping]) -> None:
        """Keep the scores of a batch.

        Raises:
            DataError: an image has no label.
        """
        for sample in data_samples:
            if 'gt_label' not in sample:
                raise DataError(
                    f'{sample.get("img_path", "an image")} comes without a label: nothing can be '
                    'measured'
                )
            self.results.append((sample['scores'].float().cpu().numpy(), int(sample['gt_label'])))

    def compute_metrics(self, results: Sequence[tuple[np.ndarray, int]]) -> dict[str, float]:
        """Return the metrics by name."""
        scores, labels = zip(*results, strict=True)
        classes = (self.dataset_meta or {}).get('classes') or [
            str(index) for index in range(len(scores[0]))
        ]
        self.evaluation = evaluate_classification(np.stack(scores), np.array(labels), classes)
        metrics = dict(self.evaluation.metrics)
        if self.per_class:
            metrics |= {
                f'accuracy/{name}': row['accuracy']
                for name, row in self.evaluation.per_class.items()
            }
        print_log(f'{len(labels)} images, top-1 {metrics["top1"]:.4f}', logger='current')
        return metrics
