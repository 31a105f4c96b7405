"""Metrics that OpenMMLab's packages do not have.

Importing it imports neither torch nor an OpenMMLab package; its modules are loaded at first use.
"""

import importlib
from typing import Any

_HOMES = {
    'ClassificationMetric': 'rexdense.evaluation.classification_metric',
    'CocoMetric': 'rexdense.evaluation.coco_metric',
    'CocoEvaluation': 'rexdense.evaluation.coco_evaluation',
    'DepthMetric': 'rexdense.evaluation.depth_metric',
    'evaluate_depth': 'rexdense.evaluation.depth_evaluation',
    'SegmentationMetric': 'rexdense.evaluation.segmentation_metric',
    'SegmentationEvaluation': 'rexdense.evaluation.segmentation_evaluation',
    'evaluate_detections': 'rexdense.evaluation.coco_evaluation',
    'evaluate_segmentation': 'rexdense.evaluation.segmentation_evaluation',
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
