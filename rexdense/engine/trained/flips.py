"""Flip tests of trained models."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from rexdense.device import bare_model
from rexdense.engine.config.load import class_name, walk
from rexdense.errors import InvalidArgument
from rexdense.models.mirroring import FlipTest

_DIRECTIONS = ('horizontal', 'vertical', 'diagonal')


def flip_directions(train_dataloader: Any) -> tuple[str, ...]:
    """Return the directions in which a training flips its images; 'horizontal' if it flips none.

    Args:
        train_dataloader: The section of a config.

    Example:
        >>> flip = dict(type='mmdet.RandomFlip', prob=0.5, direction=['horizontal', 'vertical'])
        >>> flip_directions(dict(dataset=dict(pipeline=[flip])))
        ('horizontal', 'vertical')
    """
    stated: list[Any] = []
    for section in walk(train_dataloader):
        if class_name(section) == 'RandomFlip':
            directions = _listed(section.get('direction', 'horizontal'))
            shares = _listed(section.get('prob'))
            shares = shares if len(shares) == len(directions) else shares * len(directions)
            stated += [each for each, share in zip(directions, shares, strict=False) if share != 0]
    return tuple(each for each in _DIRECTIONS if each in stated) or ('horizontal',)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def flip_tested(model: nn.Module, directions: Sequence[str]) -> Any:
    """Return an object whose ``test_step`` predicts from an image and its mirror images. Raise
    InvalidArgument for another kind of model, or a detector that finds no boxes.

    Args:
        model: A detector of mmdet, or a segmentor or depth estimator of mmseg.
        directions: Detectors: 'horizontal', 'vertical', 'diagonal'. Other models are mirrored
            horizontally.
    """
    network = bare_model(model)
    if hasattr(network, 'decode_head'):
        return FlipTest(model)
    heads = [getattr(network, name, None) for name in ('bbox_head', 'roi_head')]
    # mmdet's SOLO finds masks with boxes of zeros, and its panoptic models fuse their results.
    if not any(heads) or getattr(network, 'panoptic_fusion_head', None):
        raise InvalidArgument(
            f'{type(network).__name__} has no flip test: detectors of boxes, segmentors and depth '
            'estimators have one'
        )
    # Imported here, because segmentation works without mmdet.
    from rexdense.models.detection_mirroring import DetectionFlipTest

    return DetectionFlipTest(model, directions)
