"""Metrics of image classification for mmengine's evaluator."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from rexdense.errors import DataError, InvalidArgument
from rexdense.evaluation.classification_evaluation import (
    ClassificationEvaluation,
    evaluate_classification,
)
from rexdense.files.writing import atomic_write
from rexdense.registry import METRICS


@METRICS.register_module()
class ClassificationMetric(BaseMetric):
    """Top-1, top-5, accuracy per class and calibration error, from 0 to 1.

    The results are named ``classification/top1``, ``classification/top5`` (with more than 5
    classes), ``classification/mean_class_accuracy``, ``classification/calibration_error`` and
    ``classification/accuracy/<class>``. The confusion matrix is stored in ``evaluation``.

    Args:
        per_class: Report the accuracy of each class; turn it off for many classes.
        outfile: JSON file for the truth, the prediction and its score of each image. An existing
            file is replaced.
        collect_device, prefix: See mmengine's ``BaseMetric``.
    """

    default_prefix = 'classification'

    def __init__(
        self,
        per_class: bool = True,
        outfile: str | os.PathLike[str] | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.outfile = None if outfile is None else Path(outfile)
        self.per_class = per_class
        self.evaluation: ClassificationEvaluation | None = None

    def process(self, data_batch: Any, data_samples: Sequence[Mapping]) -> None:
        """Store the scores of a batch; raise DataError if an image has no label."""
        for sample in data_samples:
            if 'gt_label' not in sample:
                raise DataError(
                    f'{sample.get("img_path", "an image")} comes without a label: nothing can be '
                    'measured'
                )
            scores = sample['scores'].float().cpu().numpy()
            path = str(sample.get('img_path', ''))
            self.results.append((scores, int(sample['gt_label']), path))

    def compute_metrics(self, results: Sequence[tuple[np.ndarray, int, str]]) -> dict[str, float]:
        """Return the metrics by name, and write ``outfile``. Raise InvalidArgument if the model and
        the data have different numbers of classes."""
        scores, labels, paths = zip(*results, strict=True)
        classes = (self.dataset_meta or {}).get('classes') or [
            str(index) for index in range(len(scores[0]))
        ]
        if len(classes) != len(scores[0]):
            raise InvalidArgument(
                f'the model has {len(scores[0])} classes, the data {len(classes)}: set '
                'model.num_classes, or give the data that the model was trained for'
            )
        self.evaluation = evaluate_classification(np.stack(scores), np.array(labels), classes)
        if self.outfile is not None:
            rows = _predictions(scores, labels, paths, classes)
            content = json.dumps(dict(classes=list(classes), images=rows), indent=1).encode()
            atomic_write(self.outfile, content, overwrite=True, make_folder=True)
        metrics = dict(self.evaluation.metrics)
        if self.per_class:
            metrics |= {
                f'accuracy/{name}': row['accuracy']
                for name, row in self.evaluation.per_class.items()
            }
        print_log(f'{len(labels)} images, top-1 {metrics["top1"]:.4f}', logger='current')
        return metrics


def _predictions(
    scores: Sequence[np.ndarray],
    labels: Sequence[int],
    paths: Sequence[str],
    classes: Sequence[str],
) -> list[dict[str, Any]]:
    """Return the entries of the images in the file of predictions."""
    return [
        dict(
            image=path,
            truth=classes[label],
            predicted=classes[int(values.argmax())],
            score=round(float(values.max()), 4),
        )
        for values, label, path in zip(scores, labels, paths, strict=True)
    ]
