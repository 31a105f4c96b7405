"""Metrics that OpenMMLab's packages do not have.

Importing it imports neither torch nor an OpenMMLab package: its parts are loaded at first use.
"""

import importlib
from typing import Any

_HOMES = {
    'ClassificationMetric': 'rexdense.evaluation.classification_metric',
    'CocoMetric': 'rexdense.evaluation.coco_metric',
    'CocoScores': 'rexdense.evaluation.coco_scores',
    'DepthMetric': 'rexdense.evaluation.depth_metric',
    'score_depth': 'rexdense.evaluation.depth_scores',
    'SegmentationMetric': 'rexdense.evaluation.segmentation_metric',
    'SegmentationScores': 'rexdense.evaluation.segmentation_scores',
    'score_detections': 'rexdense.evaluation.coco_scores',
    'score_segmentation': 'rexdense.evaluation.segmentation_scores',
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
