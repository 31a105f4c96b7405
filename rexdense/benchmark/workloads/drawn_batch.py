"""A batch of noise with drawn ground truth, in the form in which a pipeline gives it to a model."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.structures import BaseDataElement
from torch import Tensor

from rexdense.engine.config.load import class_heads
from rexdense.errors import InvalidArgument
from rexdense.registry import TRANSFORMS
from rexdense.tasks import Detection, Segmentation, task_of

OBJECTS = 20
"""Ellipses per image: about as many as in the blood cell photographs; crops of nuclei have thirty.
"""
_SIZES = (16, 4)
"""The shorter image side over the minimum and maximum semi-axes of the ellipses."""
_ABOUT = ('img_shape', 'ori_shape', 'scale_factor')

Batch = dict[str, list[Tensor] | list[BaseDataElement]]


def drawn_batch(config: Config, shape: Sequence[int], objects: int = OBJECTS) -> Batch:
    """Return 8-bit images (3, H, W) and their samples, the same in every process.

    Args:
        shape: Shape of the batch, (N, 3, H, W).
        objects: Ellipses per image.

    Raises:
        InvalidArgument: the config has neither a detector nor a segmentor, or the images are too
            small to draw in.
    """
    pack, truth = _ground_truth(config, shape)
    count, _, height, width = shape
    transform = TRANSFORMS.build(dict(type=pack, meta_keys=_ABOUT))
    packed = [transform(_sample(number, height, width, objects, truth)) for number in range(count)]
    return {key: [sample[key] for sample in packed] for key in packed[0]}


def require_drawable(config: Config, shape: Sequence[int]) -> None:
    """Raise InvalidArgument where :func:`drawn_batch` would, before images take any memory."""
    _ground_truth(config, shape)


def _ground_truth(
    config: Config, shape: Sequence[int]
) -> tuple[str, Callable[[np.ndarray], dict[str, Any]]]:
    """Return the transform that packs a sample of a config, and what makes its ground truth of
    drawn ellipses."""
    task = task_of(config.model, dict(classes=()))
    _, _, height, width = shape
    if min(height, width) < 2 * _SIZES[0]:
        raise InvalidArgument(
            f'objects are drawn in images of {2 * _SIZES[0]} x {2 * _SIZES[0]} pixels at least: '
            'give a larger --shape'
        )
    classes = next((head['num_classes'] for head in class_heads(config.model)), 1)
    if isinstance(task, Detection):
        masks = 'mask_head' in (config.model.get('roi_head') or {})
        return 'mmdet.PackDetInputs', lambda drawn: _objects(drawn, classes, masks)
    if isinstance(task, Segmentation):
        return 'mmseg.PackSegInputs', lambda drawn: _labels(drawn, classes)
    raise InvalidArgument(
        f'{config.filename} has a {config.model.type}: give the config of a detector or a segmentor'
    )


def _sample(number: int, height: int, width: int, objects: int, truth: Any) -> dict[str, Any]:
    random = np.random.default_rng(number)
    drawn = np.zeros((objects, height, width), np.uint8)
    least, most = (min(height, width) // share for share in _SIZES)
    for mask in drawn:
        centre = (int(random.integers(width)), int(random.integers(height)))
        axes = tuple(map(int, random.integers(least, most + 1, 2)))
        cv2.ellipse(mask, centre, axes, int(random.integers(180)), 0, 360, 1, -1)
    return dict(
        img=random.integers(0, 256, (height, width, 3), np.uint8),
        img_shape=(height, width),
        ori_shape=(height, width),
        scale_factor=(1.0, 1.0),
        **truth(drawn),
    )


def _objects(drawn: np.ndarray, classes: int, with_masks: bool) -> dict[str, Any]:
    """Return the ground truth for a detector."""
    # No pipeline creates them here.
    bitmaps = importlib.import_module('mmdet.structures.mask').BitmapMasks
    horizontal = importlib.import_module('mmdet.structures.bbox').HorizontalBoxes
    boxes = [cv2.boundingRect(mask) for mask in drawn]
    corners = np.array([(x, y, x + w, y + h) for x, y, w, h in boxes], np.float32)
    masks = bitmaps(drawn, *drawn.shape[1:]) if with_masks else None
    found = dict(
        gt_bboxes=horizontal(corners),
        gt_bboxes_labels=np.arange(len(drawn)) % classes,
        gt_ignore_flags=np.zeros(len(drawn), bool),
    )
    return found | ({} if masks is None else dict(gt_masks=masks))


def _labels(drawn: np.ndarray, classes: int) -> dict[str, Any]:
    """Return the label map for a segmentor; later ellipses cover earlier ones."""
    labels = np.zeros(drawn.shape[1:], np.uint8)
    for number, mask in enumerate(drawn, 1):
        labels[mask > 0] = number % classes
    return dict(gt_seg_map=labels, seg_fields=['gt_seg_map'])
