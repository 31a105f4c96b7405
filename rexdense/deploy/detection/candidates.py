"""Candidates for detections, in numbers that do not depend on the image."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rexdense.errors import InvalidArgument

DROPPED = -1.0
"""The score of dropped candidates; real scores are at least 0."""


def with_fillers(
    scores: Tensor, deltas: Tensor, boxes: Tensor, number: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Append ``number`` dropped entries to the scores (N, A), deltas (N, B, 4) and boxes (B, 4) of
    a level. A small map has fewer candidates than are taken per level; with the appended ones, the
    number is the same for all image sizes."""
    batch = scores.shape[0]
    return (
        torch.cat((scores, scores.new_full((batch, number), DROPPED)), dim=1),
        torch.cat((deltas, deltas.new_zeros(batch, number, 4)), dim=1),
        torch.cat((boxes, boxes.new_zeros(number, 4))),
    )


def without_small(scores: Tensor, boxes: Tensor, smallest: float) -> Tensor:
    """Return the scores (...,), with those of boxes (..., 4) dropped whose width or height is not
    above ``smallest``; mmdet's ``min_bbox_size``. A negative number keeps all."""
    if smallest < 0:
        return scores
    large = (boxes[..., 2:] - boxes[..., :2] > smallest).all(dim=-1)
    return torch.where(large, scores, DROPPED)


def chosen_boxes(boxes: Tensor, places: Tensor) -> Tensor:
    """Return the boxes (N, n, 4) at ``places`` (N, n) among boxes (N, m, 4)."""
    return boxes.gather(1, places[..., None].expand(-1, -1, 4))


def as_detections(boxes: Tensor, scores: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return boxes (N, D, 4), scores (N, D) and labels (N, D) as outputs of a graph: the box and
    the score of a dropped candidate are 0, its label is -1."""
    there = scores > DROPPED
    return dict(
        boxes=torch.where(there[..., None], boxes, 0.0),
        scores=torch.where(there, scores, 0.0),
        labels=torch.where(there, labels, -1),
    )


def nms_threshold(settings: Mapping[str, Any], name: str) -> tuple[float, bool]:
    """Return the IoU threshold of an NMS config, and whether it ignores classes. Raise
    InvalidArgument unless it is plain NMS; ``name`` is its path in the config."""
    unknown = set(settings) - {'type', 'iou_threshold', 'class_agnostic', 'split_thr'}
    if settings.get('type', 'nms') != 'nms' or unknown:
        raise InvalidArgument(
            f'{name}={dict(settings)}: ONNX has plain suppression alone; a graph needs '
            "dict(type='nms', iou_threshold=...)"
        )
    return float(settings['iou_threshold']), bool(settings.get('class_agnostic', False))
