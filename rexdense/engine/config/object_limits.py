"""Numbers of objects that detectors keep of an image, as configs limit them."""

from collections.abc import Mapping
from typing import Any

from rexdense.engine.config.load import walk
from rexdense.errors import InvalidArgument

OF_REGIONS = 'rpn.max_per_img'
# Of two stages, of one, and of Mask2Former.
_OF_OBJECTS = ('rcnn.max_per_img', 'max_per_img', 'max_per_image')

# Of DETR, Mask2Former and their kin, and of Sparse R-CNN.
_QUERIES = ('num_queries', 'num_proposals')


def object_limits(model: Mapping[str, Any]) -> dict[str, int]:
    """Return the keys of a model's ``test_cfg`` that limit its objects, or the regions that are
    looked at for them, and their values."""
    values = {key: _section(model, key).get(_last(key)) for key in (OF_REGIONS, *_OF_OBJECTS)}
    return {key: value for key, value in values.items() if isinstance(value, int) and value > 0}


def most_objects(model: Mapping[str, Any]) -> int | None:
    """Return how many objects of an image a model keeps at most; None where it keeps all."""
    limits = object_limits(model)
    return next((limits[key] for key in _OF_OBJECTS if key in limits), None)


def set_most_objects(model: Mapping[str, Any], most: int) -> None:
    """Let a model keep up to ``most`` objects of an image; raise InvalidArgument for one that has
    no such limit, or that has fewer queries, which find an object each."""
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
        # Regions overlap, so that there are more of them than objects.
        enough = max(value, 2 * most) if key == OF_REGIONS else most
        _section(model, key)[_last(key)] = enough


def _section(model: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the section that holds a key of a model's ``test_cfg``; an empty one where there is
    none."""
    section: Any = model.get('test_cfg')
    for part in key.split('.')[:-1]:
        section = section.get(part) if isinstance(section, dict) else None
    return section if isinstance(section, dict) else {}


def _last(key: str) -> str:
    return key.rpartition('.')[2]
