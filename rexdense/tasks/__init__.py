"""What is shown, written and said of predictions, for each kind of model."""

from collections.abc import Mapping, Sequence
from typing import Any

from rexdense.tasks.classification import Classification
from rexdense.tasks.depth import DEPTH_ENDINGS, Depth
from rexdense.tasks.detection import Detection
from rexdense.tasks.segmentation import Segmentation
from rexdense.tasks.task import Example, Task

__all__ = [
    'DEPTH_ENDINGS',
    'Classification',
    'Depth',
    'Detection',
    'Example',
    'Segmentation',
    'Task',
    'task_of',
]


def task_of(model: Mapping[str, Any], metainfo: Mapping[str, Sequence]) -> Task | None:
    """Return the task of a model, by its config; None for one of another kind.

    Args:
        metainfo: ``classes`` and, if there is one, ``palette`` of the model's data.

    Example:
        >>> type(task_of({'type': 'mmseg.DepthEstimator', 'decode_head': {}}, {})).__name__
        'Depth'
    """
    if 'bbox_head' in model or 'roi_head' in model:
        return Detection(metainfo)
    if 'decode_head' in model:
        return (Depth if 'Depth' in str(model['type']) else Segmentation)(metainfo)
    if str(model.get('type')).rpartition('.')[2] == 'ImageClassifier':
        return Classification(metainfo)
    return None
