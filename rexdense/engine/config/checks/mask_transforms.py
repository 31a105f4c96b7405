"""Check that the transforms of a pipeline move masks along with the boxes."""

from collections.abc import Mapping, Sequence
from typing import Any

from rexdense.engine.config.load import walk
from rexdense.errors import InvalidArgument

# Transforms of mmdet that change boxes but not masks, or fail on masks
# (datasets/transforms/transforms.py), and their replacements for masks.
_OF_BOXES_ALONE = {
    'Mosaic': "CachedMosaic in the data set's own pipeline",
    'MixUp': 'CopyPaste',
    'RandomShift': 'TranslateX and TranslateY',
    'RandomAffine': 'Rotate, ShearX, ShearY, TranslateX and TranslateY',
    'RandomCenterCropPad': 'RandomCrop and Pad',
}
# Transforms that support masks only as pixels.
_OF_BITMAPS = ('CopyPaste', 'Expand', 'RandomErasing')
# Transforms that keep the size of an image, and may be between a crop and the canvas.
_OF_ONE_SIZE = ('FilterAnnotations', 'PhotoMetricDistortion', 'RandomFlip', 'YOLOXHSVRandomAug')


def require_masks_that_follow(loader: Mapping[str, Any]) -> None:
    """Raise InvalidArgument if transforms of mmdet in the pipelines of a data loader would separate
    masks from their boxes, or need masks that are not loaded. mmdet does not report this, or fails
    at a later image."""
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
    """Return whether masks follow the boxes through ``CachedMixUp``.

    mmdet crops masks to the size of the other image before it shifts them by the part that is cut
    off the enlarged image. It flips them within the resized image instead of its padded canvas
    (``CachedMixUp.transform``, steps 6 and 7). Neither matters if all images have the size of the
    canvas and the canvas is not resized.

    Args:
        before: The steps before it in its pipeline. A step that is applied only at times, or in
            another pipeline, determines no size.
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
    """Return the steps before one in the list that contains it; None if no list does."""
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
    """Return a pair as a list, from Python or from the command line."""
    return list(value) if isinstance(value, tuple) else value


def _loads_masks(step: Mapping[str, Any]) -> bool:
    return bool(step.get('with_mask', _class_name(step) == 'LoadPanopticAnnotations'))


def _class_name(step: Mapping[str, Any]) -> str:
    """Return the name of a class of mmdet; empty for another project's class, which may move
    masks."""
    kind = step.get('type')
    if isinstance(kind, type):
        kind = f'{kind.__module__}.{kind.__name__}'
    project, _, name = str(kind).rpartition('.')
    return name if project.partition('.')[0] in ('', 'mmdet') else ''


def _is_square(scale: Any) -> bool:
    """Return whether a size is a square. Invalid sizes pass; the transform refuses them."""
    return not isinstance(scale, (list, tuple)) or len(set(scale)) == 1
