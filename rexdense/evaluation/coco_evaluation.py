"""COCO's average precision and recall of detections."""

import contextlib
import importlib
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from rexdense.arch.checks import is_integer
from rexdense.datasets.coco.annotations import CocoAnnotations
from rexdense.datasets.coco.json_file import id_key
from rexdense.errors import InvalidArgument, MissingDependency, suggest
from rexdense.evaluation.coco_comparison import (
    check_images,
    image_numbers,
    numbered_detections,
    numbered_truth,
)
from rexdense.text_table import text_table

BACKENDS = {
    'pycocotools': ('pycocotools', 'pycocotools', 'cocoeval', 'COCOeval'),
    'faster': (
        'faster-coco-eval',
        'faster_coco_eval.core',
        'faster_eval_api',
        'COCOeval_faster',
    ),
}
"""By name: the package to install, the import path of its modules, and the module and name of its
evaluator.

pycocotools is the reference and the default. faster-coco-eval, which mmdet also supports, gives the
same figures several times faster. hotcoco is even faster and equally exact, but new and not a
backend yet; tests compare the breakdown of errors with its results.
"""

_AREAS = {'_s': 1, '_m': 2, '_l': 3}
"""The area ranges of pycocotools' ``Params``: up to 32 ** 2 pixels, up to 96 ** 2, above; 0 is
all."""


@dataclass(frozen=True)
class CocoEvaluation:
    """COCO's metrics, from 0 to 1; NaN if there are no annotations.

    Attributes:
        metrics: the 12 metrics by mmdet's names: ``mAP``, ``mAP_50``, ``mAP_75``, ``mAP_s``,
            ``mAP_m``, ``mAP_l``, then ``AR@1``, ``AR@10``, ``AR@100``, ``AR_s@100``, ``AR_m@100``,
            ``AR_l@100``.
        per_class: the first six of these for each class.
        boxes: number of annotations of each class in the evaluated images, including crowds.
        precision: (10, 101, C), the precision by IoU from 0.5 to 0.95, recall from 0 to 1, and
            class; -1 for a class without annotations.
    """

    metrics: Mapping[str, float]
    per_class: Mapping[str, Mapping[str, float]]
    boxes: Mapping[str, int]
    precision: np.ndarray

    def table(self) -> str:
        """Return the metrics as a table with a line per class, and a line of recalls; NaN is
        '-'."""
        columns = {
            'mAP': 'AP',
            'mAP_50': 'AP50',
            'mAP_75': 'AP75',
            'mAP_s': 'APs',
            'mAP_m': 'APm',
            'mAP_l': 'APl',
        }
        rows = [['class', 'annotations', *columns.values()]]
        lines = [(name, self.boxes[name], metrics) for name, metrics in self.per_class.items()]
        lines.append(('all', sum(self.boxes.values()), self.metrics))
        for name, count, metrics in lines:
            rows.append([name, str(count), *(_shown(metrics[column]) for column in columns)])
        recalls = [
            f'{name} {_shown(value)}'
            for name, value in self.metrics.items()
            if name.startswith('AR')
        ]
        return f'{text_table(rows)}\n{", ".join(recalls)}'


def ordered_maxima(max_detections: Any) -> tuple[int, int, int]:
    """Return the numbers of detections per image that count, in ascending order. Raise
    InvalidArgument unless they are three different whole numbers above 0."""
    maxima = list(max_detections) if isinstance(max_detections, Iterable) else []
    if (
        len(maxima) != 3
        or not all(is_integer(each) and each > 0 for each in maxima)
        or len(set(maxima)) != 3
    ):
        raise InvalidArgument(
            f'max_detections={max_detections!r}: give three different whole numbers above 0, such '
            'as (1, 10, 100)'
        )
    return tuple(sorted(map(int, maxima)))


def evaluate_detections(
    annotations: CocoAnnotations,
    detections: Sequence[Mapping[str, Any]],
    iou_type: str = 'bbox',
    backend: str = 'pycocotools',
    max_detections: Sequence[int] = (1, 10, 100),
    image_ids: Sequence[int | str] | None = None,
) -> CocoEvaluation:
    """Return the COCO metrics of detections.

    Images, classes and annotations are renumbered from 1 for the evaluation. pycocotools treats an
    annotation with id 0 as unmatched, and sorts ids of mixed types in no useful order.

    Args:
        detections: in COCO's results format: ``image_id``, ``category_id``, ``score`` and ``bbox``
            [left, top, width, height] in pixels or ``segmentation`` as run lengths. If masks are
            compared, ``mask_score`` takes precedence over ``score``.
        iou_type: 'bbox' or 'segm'.
        backend: 'pycocotools', or 'faster' for faster-coco-eval.
        max_detections: numbers of detections per image and class, best first, that count for the
            three recalls, in any order; the greatest applies to all other metrics.
        image_ids: the evaluated images; None takes all.

    Raises:
        DataError: the annotations do not have the image or category of a detection.
        InvalidArgument: the backend or ``iou_type`` is unknown, or ``max_detections`` are not three
            different whole numbers.
        MissingDependency: the backend's package is not installed.
    """
    if iou_type not in ('bbox', 'segm'):
        raise InvalidArgument(f"iou_type={iou_type!r}: give 'bbox' or 'segm'")
    maxima = ordered_maxima(max_detections)
    coco_class, evaluator_class, mask_tools = _backend(backend)
    numbers = image_numbers(annotations)
    check_images(annotations, numbers, detections, image_ids)
    looked_at = list(numbers) if image_ids is None else [id_key(value) for value in image_ids]
    truth = numbered_truth(annotations, numbers, iou_type)
    found = numbered_detections(
        annotations, numbers, detections, mask_tools if iou_type == 'segm' else None
    )
    with contextlib.redirect_stdout(io.StringIO()):
        truth_index, found_index = coco_class(), coco_class()
        truth_index.dataset = truth
        truth_index.createIndex()
        found_index.dataset = {**truth, 'annotations': found}
        found_index.createIndex()
        evaluator = evaluator_class(truth_index, found_index, iou_type)
        evaluator.params.imgIds = sorted(numbers[key] for key in looked_at)
        evaluator.params.catIds = list(range(1, len(annotations.classes) + 1))
        evaluator.params.maxDets = list(maxima)
        evaluator.evaluate()
        evaluator.accumulate()
    wanted = set(evaluator.params.imgIds)
    counts = Counter(
        entry['category_id'] for entry in truth['annotations'] if entry['image_id'] in wanted
    )
    boxes = {name: counts[number] for number, name in enumerate(annotations.classes, start=1)}
    return _summary(boxes, evaluator.eval, maxima)


def require_backend(name: str) -> None:
    """Check a backend before a long run. Raise InvalidArgument if its name is unknown, or
    MissingDependency if its package is not installed."""
    _backend(name)


def _backend(name: str) -> tuple[type, type, ModuleType]:
    """Return (class of a set of annotations, class of the evaluator, module for masks)."""
    if name not in BACKENDS:
        raise InvalidArgument(f'backend={name!r} is not known; {suggest(name, BACKENDS)}')
    package, home, evaluator_module, evaluator_name = BACKENDS[name]
    try:
        coco, evaluator, mask_tools = (
            importlib.import_module(f'{home}.{module}')
            for module in ('coco', evaluator_module, 'mask')
        )
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f'backend={name!r} needs the package {package}, which is not installed: '
            f'pip install {package}'
        ) from error
    return coco.COCO, getattr(evaluator, evaluator_name), mask_tools


def _summary(
    boxes: Mapping[str, int], evaluation: Mapping[str, Any], max_detections: Sequence[int]
) -> CocoEvaluation:
    """Return the 12 metrics of pycocotools' ``COCOeval.summarize``, and those of each class.

    ``precision`` is thresholds x recalls x classes x areas x maxima, and ``recall`` the same
    without recalls; -1 stands for no annotations. Threshold 0 is an IoU of 0.50, threshold 5 an IoU
    of 0.75.
    """
    precision, recall = evaluation['precision'], evaluation['recall']
    metrics = _average_precision(precision)
    for place, maximum in enumerate(max_detections):
        metrics[f'AR@{maximum}'] = _mean(recall[..., 0, place])
    for suffix, area in _AREAS.items():
        metrics[f'AR{suffix}@{max_detections[-1]}'] = _mean(recall[..., area, -1])
    per_class = {
        name: _average_precision(precision[:, :, label : label + 1])
        for label, name in enumerate(boxes)
    }
    return CocoEvaluation(metrics, per_class, boxes, precision[..., 0, -1])


def _average_precision(precision: np.ndarray) -> dict[str, float]:
    return {
        'mAP': _mean(precision[..., 0, -1]),
        'mAP_50': _mean(precision[0, ..., 0, -1]),
        'mAP_75': _mean(precision[5, ..., 0, -1]),
        **{f'mAP{suffix}': _mean(precision[..., area, -1]) for suffix, area in _AREAS.items()},
    }


def _mean(values: np.ndarray) -> float:
    there = values[values > -1]
    return float(there.mean()) if there.size else float('nan')


def _shown(value: float) -> str:
    return '-' if np.isnan(value) else f'{value:.3f}'
