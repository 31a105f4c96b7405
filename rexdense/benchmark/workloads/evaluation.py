"""COCO's metrics of detections, computed by one of several packages."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from rexdense.benchmark.workloads import Workload
from rexdense.datasets.coco.annotations import CocoAnnotations, read_annotations
from rexdense.datasets.coco.cleaning import number_of
from rexdense.datasets.coco.run_lengths import runs_of_text
from rexdense.errors import InvalidArgument
from rexdense.evaluation.coco_evaluation import (
    CocoEvaluation,
    evaluate_detections,
    require_backend,
)

FALSE = 20
"""Drawn boxes per image without an object."""
JITTER = 0.15
"""Standard deviation of drawn boxes from those of the file, as a share of their sides."""


def prepare(task: dict[str, Any]) -> Workload:
    """Return the evaluation of a task: ``annotations`` and ``detections`` are files, the latter
    possibly None, ``iou_type`` is 'bbox' or 'segm', ``backend`` is one of rexdense's."""
    require_backend(task['backend'])
    annotations = read_annotations(task['annotations'], need_masks=task['iou_type'] == 'segm')
    if task['detections'] is None:
        detections = drawn_detections(annotations)
    else:
        detections = read_detections(Path(task['detections']), task['iou_type'])

    def tell(found: CocoEvaluation) -> dict[str, Any]:
        # -1 is pycocotools' own for what is not there to be found.
        metrics = {
            name: -1.0 if math.isnan(value) else value for name, value in found.metrics.items()
        }
        precision = metrics['mAP']
        return dict(detections=len(detections), average_precision=precision, metrics=metrics)

    return Workload(
        lambda: evaluate_detections(annotations, detections, task['iou_type'], task['backend']),
        tell,
    )


def read_detections(path: Path, iou_type: str) -> list[dict]:
    """Read the detections of a file in COCO's results format.

    Raises:
        InvalidArgument: it is not such a file, or masks or boxes are missing or invalid. (With an
            invalid mask, pycocotools may never end.)
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
    is_whole = _is_mask if iou_type == 'segm' else _is_box
    for place, each in enumerate(detections):
        where = each['segmentation' if iou_type == 'segm' else 'bbox']
        if type(each['score']) not in (int, float) or number_of(each['score']) is None:
            what = 'score that is no number'
        elif not is_whole(where):
            what = (
                'segmentation that is no run lengths, as text, of its size'
                if iou_type == 'segm'
                else 'bbox that is not four numbers'
            )
        else:
            continue
        raise InvalidArgument(f'--detections {path}: detection {place + 1} has a {what}')
    return detections


def _is_box(box: Any) -> bool:
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(type(each) in (int, float) and number_of(each) is not None for each in box)
    )


def _is_mask(mask: Any) -> bool:
    """Return whether run lengths have as many pixels as their size."""
    if not isinstance(mask, dict) or not isinstance(mask.get('counts'), str):
        return False
    size = mask.get('size')
    if not isinstance(size, list) or len(size) != 2:
        return False
    if not all(type(side) is int and side > 0 for side in size):
        return False
    return sum(runs_of_text(mask['counts'])) == size[0] * size[1]


def drawn_detections(annotations: CocoAnnotations) -> list[dict]:
    """Return a detection near each annotation, and others without an object."""
    random = np.random.default_rng(0)
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
