"""Drawings, files and descriptions of predictions, for each kind of model."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rexdense.errors import InvalidArgument
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
    'set_options',
    'task_of',
]


_OPTIONS = {
    'score': (Detection, 'detectors', 'lowest_score'),
    'one_per_object': (Detection, 'detectors', 'one_per_object'),
    'depth_format': (Depth, 'depth estimators', 'data_ending'),
}
"""By option: the kind of task, the models in words, and the attribute of the task that is set."""


def set_options(task: Task, spelt: Callable[[str], str] = str, **options: Any) -> None:
    """Set options of a task. Raise InvalidArgument for an option of another kind of model.

    Args:
        spelt: Function that spells the name of an option in messages.
        options: ``score``, ``one_per_object`` and ``depth_format``; None keeps the default.
    """
    for name, value in options.items():
        kind, plural, attribute = _OPTIONS[name]
        if value is None:
            continue
        if not isinstance(task, kind):
            raise InvalidArgument(f'{spelt(name)} goes with {plural}; leave it out')
        setattr(task, attribute, value)


def task_of(model: Mapping[str, Any], metainfo: Mapping[str, Sequence]) -> Task | None:
    """Return the task of a model, by its config; None for an unsupported kind.

    Args:
        metainfo: ``classes`` and, optionally, ``palette`` of the model's data.

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
