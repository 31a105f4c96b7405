"""Data sets and transforms for mmengine's pipelines, and the drawn Shapes set.

Importing this package imports neither torch nor OpenMMLab; its parts are loaded at first use.
"""

import importlib
from typing import Any

_HOMES = {
    'ClassificationDataset': 'rexdense.datasets.classification.dataset',
    'CocoDataset': 'rexdense.datasets.coco.dataset',
    'CocoFolder': 'rexdense.datasets.coco.folder',
    'DepthDataset': 'rexdense.datasets.depth.dataset',
    'LoadDepth': 'rexdense.datasets.depth.loading',
    'LoadImage': 'rexdense.datasets.images.loading',
    'LoadSegmentationAnnotations': 'rexdense.datasets.segmentation.loading',
    'SHAPE_CLASSES': 'rexdense.datasets.shapes',
    'SegmentationDataset': 'rexdense.datasets.segmentation.dataset',
    'SegmentationFolder': 'rexdense.datasets.segmentation.folder',
    'make_shapes': 'rexdense.datasets.shapes',
    'read_annotations': 'rexdense.datasets.coco.annotations',
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
