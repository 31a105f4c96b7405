"""Limits in a config on the number of objects that a detector keeps per image."""

from collections.abc import Mapping
from typing import Any

from rexdense.engine.config.load import walk
from rexdense.errors import InvalidArgument

OF_REGIONS = 'rpn.max_per_img'
# Of two-stage detectors, of one-stage detectors, and of Mask2Former.
_OF_OBJECTS = ('rcnn.max_per_img', 'max_per_img', 'max_per_image')

# Of DETR, Mask2Former and similar models, and of Sparse R-CNN.
_QUERIES = ('num_queries', 'num_proposals')


def object_limits(model: Mapping[str, Any]) -> dict[str, int]:
    """Return the keys of a model's ``test_cfg`` that limit its objects or its proposals, with their
    values."""
    values = {key: _section(model, key).get(_last(key)) for key in (OF_REGIONS, *_OF_OBJECTS)}
    return {key: value for key, value in values.items() if isinstance(value, int) and value > 0}


def most_objects(model: Mapping[str, Any]) -> int | None:
    """Return the largest number of objects that a model keeps per image; None without a limit."""
    limits = object_limits(model)
    return next((limits[key] for key in _OF_OBJECTS if key in limits), None)


def set_most_objects(model: Mapping[str, Any], most: int) -> None:
    """Let a model keep up to ``most`` objects per image. Raise InvalidArgument if it has no such
    limit, or fewer queries, each of which finds one object."""
    if most_objects(model) is None:
        raise InvalidArgument(
            f'max_objects={most}: this model does not limit the objects of an image; leave it out'
        )
    for part in walk(model):
        for key in _QUERIES:
            if isinstance(part.get(key), int) and part[key] < most:
                raise InvalidArgument(
                    f'max_objects={most}: this model has {key}={part[key]}, which find an object '
                    f'each: give {part[key]} at most'
                )
    for key, value in object_limits(model).items():
        # Regions overlap, so there are more of them than objects.
        enough = max(value, 2 * most) if key == OF_REGIONS else most
        _section(model, key)[_last(key)] = enough


def _section(model: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the section of a model's ``test_cfg`` with a key; an empty one if there is none."""
    section: Any = model.get('test_cfg')
    for part in key.split('.')[:-1]:
        section = section.get(part) if isinstance(section, dict) else None
    return section if isinstance(section, dict) else {}


def _last(key: str) -> str:
    return key.rpartition('.')[2]
