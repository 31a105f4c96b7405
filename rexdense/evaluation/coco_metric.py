"""COCO's metrics as a metric of mmdet, against checked and cleaned annotations."""

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmdet.evaluation.metrics import CocoMetric as _CocoMetric
from mmengine.evaluator import BaseMetric
from mmengine.fileio import get_local_path
from mmengine.logging import print_log

from rexdense.arch.checks import is_number
from rexdense.datasets.coco.annotations import CocoAnnotations, read_annotations
from rexdense.errors import DataError, InvalidArgument
from rexdense.evaluation.coco_comparison import compared_images
from rexdense.evaluation.coco_evaluation import (
    CocoEvaluation,
    evaluate_detections,
    ordered_maxima,
    require_backend,
)
from rexdense.evaluation.data_science_bowl import data_science_bowl
from rexdense.evaluation.detection_errors import DetectionErrors, detection_errors
from rexdense.files.destinations import refuse_inputs
from rexdense.files.writing import atomic_write
from rexdense.registry import METRICS


@METRICS.register_module()
class CocoMetric(_CocoMetric):
    """COCO AP and AR of boxes and masks against an annotation file.

    It takes predictions in the form of mmdet's ``CocoMetric``, with these differences:

    - Classes are matched by name, and annotations are read as in ``rexdense.CocoDataset``.
    - The metrics are the 12 of COCO, unrounded, and AP by class. At most 100 detections per image
      count; mmdet mixes 100 and 1000.
    - Only images with predictions count. A metric that does not exist is NaN, not -1.

    The results are named ``coco/bbox_mAP``, ``coco/bbox_mAP_50`` ... ``coco/bbox_AR_l@100`` and
    ``coco/bbox_AP/<class>``; masks have ``segm`` instead of ``bbox``.

    Args:
        ann_file: the annotation file.
        metric: 'bbox', 'segm' or both.
        backend: 'pycocotools', or 'faster' for faster-coco-eval.
        max_detections: largest numbers of detections per image and class, see
            ``evaluate_detections``.
        show_table: whether the metrics are logged as a table.
        data_science_bowl: lowest score of the masks for the score of the 2018 Data Science Bowl,
            ``coco/segm_data_science_bowl``, see
            :func:`~rexdense.evaluation.data_science_bowl.data_science_bowl`; None leaves it out.
        analysis: lowest score of the detections for the confusion matrix and the breakdown of
            errors, see :class:`~rexdense.evaluation.detection_errors.DetectionErrors`; None leaves
            them out.
        outfile: file for the predictions in COCO's results format, with the category ids of
            ``ann_file``. An existing file is replaced at the end of the evaluation.
        format_only: whether to write only ``outfile``, without metrics.
        collect_device, prefix: see mmengine's ``BaseMetric``.
        backend_args: arguments of mmengine's file backend for ``ann_file``.

    Raises:
        DataError: the annotations cannot be used.
        InvalidArgument: an argument is not allowed; ``outfile`` is ``ann_file`` or cannot be
            written.
        MissingDependency: the backend's package is not installed.
    """

    def __init__(
        self,
        ann_file: str,
        metric: str | Sequence[str] = 'bbox',
        backend: str = 'pycocotools',
        max_detections: Sequence[int] = (1, 10, 100),
        show_table: bool = True,
        data_science_bowl: float | None = None,
        analysis: float | None = None,
        outfile: str | os.PathLike[str] | None = None,
        format_only: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        backend_args: dict | None = None,
    ) -> None:
        metrics = [metric] if isinstance(metric, str) else list(metric)
        for name in metrics:
            if name not in ('bbox', 'segm'):
                raise InvalidArgument(f"metric={name!r}: give 'bbox', 'segm' or both")
        require_backend(backend)
        maxima = ordered_maxima(max_detections)
        _require_score('data_science_bowl', data_science_bowl)
        _require_score('analysis', analysis)
        if data_science_bowl is not None and 'segm' not in metrics:
            raise InvalidArgument(
                f'data_science_bowl={data_science_bowl} is of masks: add segm to metric={metric!r}'
            )
        if format_only and outfile is None:
            raise InvalidArgument('format_only=True writes nothing without outfile; give one')
        super().__init__(
            metric=metrics,
            collect_device=collect_device,
            prefix=prefix,
            backend_args=backend_args,
        )
        self.ann_file = ann_file
        self.backend = backend
        self.max_detections = maxima
        self.show_table = show_table
        self.outfile = None if outfile is None else Path(outfile)
        if self.outfile is not None:
            refuse_inputs([self.outfile], [ann_file])
        self.format_only = format_only
        self.data_science_bowl = data_science_bowl
        self.analysis = analysis
        self.evaluations: dict[str, CocoEvaluation] = {}
        self.errors: dict[str, DetectionErrors] = {}
        self._annotations: CocoAnnotations | None = None

    @BaseMetric.dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict | None) -> None:
        """Set the classes, in the order of the labels, and read their annotations."""
        self._dataset_meta = dataset_meta
        if dataset_meta is None or 'classes' not in dataset_meta:
            raise DataError(
                f'{self.ann_file}: the dataset evaluated names no classes; use rexdense.CocoDataset'
            )
        with get_local_path(self.ann_file, backend_args=self.backend_args) as path:
            self._annotations = read_annotations(
                path,
                classes=dataset_meta['classes'],
                may_lack_classes=True,
                need_boxes=not self.format_only,
                need_masks='segm' in self.metrics and not self.format_only,
            )
        # It tells mmdet's process() that the truth comes from a file.
        self._coco_api = self._annotations

    def compute_metrics(self, results: list[tuple[dict, dict]]) -> dict[str, float]:
        """Return the metrics by name, after writing ``outfile``.

        Args:
            results: (description of the image, predictions) of each image, as mmdet's ``process``
                collects them.
        """
        predictions = [prediction for _, prediction in results]
        detections = self._detections(predictions)
        if self.outfile is not None:
            content = json.dumps(detections).encode()
            atomic_write(self.outfile, content, overwrite=True, make_folder=True)
        if self.format_only:
            return {}
        metrics: dict[str, float] = {}
        image_ids = [prediction['img_id'] for prediction in predictions]
        for iou_type in self.metrics:
            evaluation = evaluate_detections(
                self._annotations,
                detections,
                iou_type,
                self.backend,
                self.max_detections,
                image_ids,
            )
            self.evaluations[iou_type] = evaluation
            what = {'bbox': 'boxes', 'segm': 'masks'}[iou_type]
            if self.show_table:
                print_log(f'{what} of {self.ann_file}\n{evaluation.table()}', logger='current')
            metrics |= {f'{iou_type}_{name}': value for name, value in evaluation.metrics.items()}
            metrics |= {
                f'{iou_type}_AP/{name}': values['mAP']
                for name, values in evaluation.per_class.items()
            }
            bowl = self.data_science_bowl if iou_type == 'segm' else None
            if self.analysis is None and bowl is None:
                continue
            images = list(
                compared_images(
                    self._annotations, detections, iou_type, image_ids, self.max_detections[-1]
                )
            )
            if bowl is not None:
                metrics[f'{iou_type}_data_science_bowl'] = data_science_bowl(images, bowl)
            if self.analysis is not None:
                errors = detection_errors(images, self._annotations.classes, self.analysis)
                self.errors[iou_type] = errors
                if self.show_table:
                    print_log(f'errors of {what}\n{errors.table()}', logger='current')
        return metrics

    def _detections(self, predictions: Sequence[dict]) -> list[dict[str, Any]]:
        """Return the predictions in COCO's results format, without those of classes that have no
        category id."""
        annotations = self._annotations
        category_ids = [annotations.category_ids.get(name) for name in annotations.classes]
        detections = []
        left_out = 0
        for prediction in predictions:
            for place, label in enumerate(prediction['labels']):
                if category_ids[label] is None:
                    left_out += 1
                    continue
                detection = {
                    'image_id': prediction['img_id'],
                    'category_id': category_ids[label],
                    'bbox': self.xyxy2xywh(prediction['bboxes'][place]),
                    'score': float(prediction['scores'][place]),
                }
                if 'masks' in prediction:
                    detection['segmentation'] = _text_mask(prediction['masks'][place])
                if 'mask_scores' in prediction:
                    detection['mask_score'] = float(prediction['mask_scores'][place])
                detections.append(detection)
        if left_out:
            print_log(
                f'{self.ann_file}: {left_out} predictions left out, '
                'because the file has no category of their classes',
                logger='current',
                level=logging.WARNING,
            )
        return detections


def _require_score(name: str, value: Any) -> None:
    """Raise InvalidArgument unless an argument is None or a score."""
    if value is not None and not (is_number(value) and 0 <= value <= 1):
        raise InvalidArgument(f'{name}={value!r}: give a score from 0 to 1, or None')


def _text_mask(mask: dict) -> dict:
    """Return run lengths with ``counts`` as text, for JSON."""
    counts = mask['counts']
    return {**mask, 'counts': counts.decode() if isinstance(counts, bytes) else counts}
