"""Check that the transforms of a pipeline move masks along with the boxes."""

from collections.abc import Mapping, Sequence
from typing import Any

from rexdense.engine.config.load import walk
from rexdense.errors import InvalidArgument

# mmdet's transforms that change boxes and leave masks as they are, or give up at masks
# (datasets/transforms/transforms.py), and what to use with masks instead.
_OF_BOXES_ALONE = {
    'Mosaic': "CachedMosaic in the data set's own pipeline",
    'MixUp': 'CopyPaste',
    'RandomShift': 'TranslateX and TranslateY',
    'RandomAffine': 'Rotate, ShearX, ShearY, TranslateX and TranslateY',
    'RandomCenterCropPad': 'RandomCrop and Pad',
}
# Those that take masks as pixels alone.
_OF_BITMAPS = ('CopyPaste', 'Expand', 'RandomErasing')
# Those that leave an image of its size, and may stand between a crop and the canvas.
_OF_ONE_SIZE = ('FilterAnnotations', 'PhotoMetricDistortion', 'RandomFlip', 'YOLOXHSVRandomAug')


def require_masks_that_follow(loader: Mapping[str, Any]) -> None:
    """Raise InvalidArgument where transforms of mmdet in the pipelines of a data loader would part
    masks from their boxes, or need masks that are not loaded; mmdet says nothing, or fails at some
    later image."""
    steps = [step for step in walk(loader.get('dataset')) if 'type' in step]
    masks = [step for step in steps if _loads_masks(step)]
    as_polygons = any(step.get('poly2mask') is False for step in masks)
    for step in steps:
        name, scale = _class_name(step), step.get('img_scale')
        if not masks:
            if name == 'CopyPaste' and not step.get('paste_by_box'):
                raise InvalidArgument(
                    'CopyPaste pastes masks, and none are loaded: give it paste_by_box=True, or '
                    'LoadAnnotations with_mask=True'
                )
        elif name in _OF_BOXES_ALONE:
            raise InvalidArgument(
                f'{name} of mmdet changes boxes and not the masks that LoadAnnotations loads '
                f'(with_mask=True): use {_OF_BOXES_ALONE[name]}, or a config for boxes alone'
            )
        elif as_polygons and name in _OF_BITMAPS:
            raise InvalidArgument(
                f'{name} of mmdet takes masks as pixels alone: leave poly2mask=False out of '
                'LoadAnnotations'
            )
        elif name == 'CachedMosaic' and not _is_square(scale):
            raise InvalidArgument(
                f'CachedMosaic img_scale={scale}: mmdet gives its masks height and width the wrong '
                'way round; give a square, such as img_scale=(640, 640)'
            )
        elif name == 'CachedMixUp' and not _mixes_masks(
            step, _before(loader.get('dataset'), step) or ()
        ):
            raise InvalidArgument(
                'CachedMixUp of mmdet cuts masks off before it moves them, and mirrors those of '
                'padded images elsewhere than the boxes: use CopyPaste or CachedMosaic, or give it '
                'ratio_range=(1.0, 1.0) after a RandomCrop and right after a Pad to its img_scale, '
                'with no step between that changes sizes'
            )


def _mixes_masks(step: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> bool:
    """Whether masks follow the boxes through ``CachedMixUp``.

    mmdet cuts them to the size of the other image before it shifts them by the part that is cut off
    the enlarged one, and mirrors them within the image that was resized, not within its padded
    canvas (``CachedMixUp.transform``, steps 6 and 7). Neither matters where all images have the
    size of the canvas, and the canvas is not resized.

    Args:
        before: The steps of its pipeline before it; one that is made at times only, or in another
            pipeline, gives no size.
    """
    size = _listed(step.get('img_scale', (640, 640)))
    if not before or _listed(step.get('ratio_range')) != [1, 1]:
        return False
    *others, last = before
    while others and _class_name(others[-1]) in _OF_ONE_SIZE:
        others.pop()
    cut = others[-1] if others else {}
    is_cut = _class_name(cut) == 'RandomCrop' and _listed(cut.get('crop_size')) == size
    is_absolute = str(cut.get('crop_type', 'absolute')).startswith('absolute')
    is_padded = _class_name(last) == 'Pad' and _listed(last.get('size')) == size
    return is_cut and is_absolute and is_padded


def _before(node: Any, step: Mapping[str, Any]) -> Sequence[Mapping[str, Any]] | None:
    """Return the steps before one in the list that holds it; None where none does."""
    parts = list(node.values()) if isinstance(node, dict) else node
    if not isinstance(parts, (list, tuple)):
        return None
    for place, part in enumerate(parts):
        if part is step:
            return parts[:place] if parts is node else None
        found = _before(part, step)
        if found is not None:
            return found
    return None


def _listed(value: Any) -> Any:
    """Return a pair as a list, whether it is from Python or from the command line."""
    return list(value) if isinstance(value, tuple) else value


def _loads_masks(step: Mapping[str, Any]) -> bool:
    return bool(step.get('with_mask', _class_name(step) == 'LoadPanopticAnnotations'))


def _class_name(step: Mapping[str, Any]) -> str:
    """Return the name of a class of mmdet; nothing of another project's, which may move masks."""
    kind = step.get('type')
    if isinstance(kind, type):
        kind = f'{kind.__module__}.{kind.__name__}'
    project, _, name = str(kind).rpartition('.')
    return name if project.partition('.')[0] in ('', 'mmdet') else ''


def _is_square(scale: Any) -> bool:
    """Whether a size is a square; what is no size is for the transform to refuse."""
    return not isinstance(scale, (list, tuple)) or len(set(scale)) == 1
