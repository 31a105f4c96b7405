"""COCO's metrics of detections, by one of the packages that compute them."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from rexdense.datasets.coco.annotations import CocoAnnotations, read_annotations
from rexdense.errors import InvalidArgument
from rexdense.evaluation.coco_evaluation import evaluate_detections, require_backend

__all__ = ['drawn_detections', 'prepare', 'read_detections']

FALSE = 20
"""Drawn boxes an image that are around nothing."""
JITTER = 0.15
"""By how much drawn boxes miss those of the file, as a share of their sides."""


class _Evaluation:
    """The metrics of detections.

    Attributes:
        facts: ``detections``, their number, and ``average_precision``.
    """

    def __init__(
        self, annotations: CocoAnnotations, detections: list[dict], iou_type: str, backend: str
    ) -> None:
        self._arguments = annotations, detections, iou_type, backend
        self.facts: dict[str, Any] = dict(detections=len(detections))

    def run(self) -> float:
        start = time.perf_counter()
        result = evaluate_detections(*self._arguments)
        self.facts['average_precision'] = result.metrics['mAP']
        return (time.perf_counter() - start) * 1e3


def prepare(task: dict[str, Any]) -> _Evaluation:
    """Return the evaluation of a task: ``annotations`` and ``detections`` are files, the latter may
    be None, ``iou_type`` is 'bbox' or 'segm', ``backend`` one of rexdense's."""
    require_backend(task['backend'])
    annotations = read_annotations(task['annotations'], need_masks=task['iou_type'] == 'segm')
    if task['detections'] is None:
        detections = drawn_detections(annotations)
    else:
        detections = read_detections(Path(task['detections']), task['iou_type'])
    return _Evaluation(annotations, detections, task['iou_type'], task['backend'])


def read_detections(path: Path, iou_type: str) -> list[dict]:
    """Return the detections of a file in COCO's results format.

    Raises:
        InvalidArgument: it is no such file, or lacks the masks or the boxes.
    """
    try:
        detections = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or 'no JSON'
        raise InvalidArgument(f'--detections {path}: {reason}') from error
    needed = {'image_id', 'category_id', 'score', 'segmentation' if iou_type == 'segm' else 'bbox'}
    whole = isinstance(detections, list) and all(
        isinstance(each, dict) and needed <= each.keys() for each in detections
    )
    if not whole:
        raise InvalidArgument(
            f'--detections {path} is no list of detections with {", ".join(sorted(needed))}, such '
            'as rexdense test --out writes'
        )
    return detections


def drawn_detections(annotations: CocoAnnotations, seed: int = 0) -> list[dict]:
    """Return a detection near each annotation, and others around nothing."""
    random = np.random.default_rng(seed)
    categories = list(annotations.category_ids.values())
    found = []
    for entry in annotations.dataset['annotations']:
        left, top, width, height = entry['bbox']
        across, down, wider, taller = random.normal(0, JITTER, 4)
        found.append(
            dict(
                image_id=entry['image_id'],
                category_id=entry['category_id'],
                bbox=[
                    left + across * width,
                    top + down * height,
                    width * abs(1 + wider),
                    height * abs(1 + taller),
                ],
                score=float(random.beta(4, 2)),
            )
        )
    for image in annotations.dataset['images']:
        width, height = int(image['width']), int(image['height'])
        for left, top, wide, tall in random.random((FALSE, 4)) * 0.5:
            found.append(
                dict(
                    image_id=image['id'],
                    category_id=categories[random.integers(len(categories))],
                    bbox=[left * width, top * height, wide * width + 1, tall * height + 1],
                    score=float(random.beta(2, 6)),
                )
            )
    return found
