"""Errors of detections against the expected ones, in any order."""

from collections.abc import Mapping

import torch
from torch import Tensor

from rexdense.deploy.relative_error import relative_error

_NAMES = ('boxes', 'scores', 'labels', 'masks')


def detection_errors(
    found: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> dict[str, float]:
    """Return the largest relative error of boxes, scores and labels, and of masks if there are any.

    Each detection is compared with the closest one with the same label on the other side, because
    detections with almost equal scores may be in another order. A detection without a counterpart
    is an infinite error of the labels.

    Args:
        found: ``boxes`` (N, D, 4), ``scores`` (N, D), ``labels`` (N, D), optionally ``masks``
            (N, D, height, width); label -1 means no detection.
        expected: The same; a different D is an infinite error.

    Example:
        >>> boxes = torch.tensor([[[0.0, 0.0, 8.0, 8.0], [2.0, 2.0, 4.0, 4.0]]])
        >>> one = dict(boxes=boxes, scores=torch.tensor([[0.5, 0.5]]), labels=torch.zeros(1, 2))
        >>> detection_errors({name: value.flip(1) for name, value in one.items()}, one)
        {'boxes': 0.0, 'scores': 0.0, 'labels': 0.0}
    """
    worst = dict.fromkeys([name for name in _NAMES if name in expected], 0.0)
    for name in worst:
        if found[name].shape != expected[name].shape:
            return {**worst, name: float('inf')}
    for image in range(len(expected['labels'])):
        sides = [_detections(side, image) for side in (found, expected)]
        for one, other in (sides, sides[::-1]):
            for name, error in _farthest(one, other).items():
                worst[name] = max(worst[name], error)
    return worst


def _detections(side: Mapping[str, Tensor], image: int) -> dict[str, Tensor]:
    there = side['labels'][image] >= 0
    return {name: side[name][image][there] for name in _NAMES if name in side}


def _farthest(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> dict[str, float]:
    if not len(one['labels']):
        return {}
    if not len(other['labels']):
        return dict(labels=float('inf'))
    largest = max(side['boxes'].abs().max().item() for side in (one, other)) or 1.0
    boxes = (one['boxes'][:, None] - other['boxes']).abs().amax(dim=2) / largest
    scores = (one['scores'][:, None] - other['scores']).abs() / one['scores'].max()
    same_label = one['labels'][:, None] == other['labels']
    both = torch.where(same_label, torch.maximum(boxes, scores), torch.inf)
    # Comparisons with NaN are false, and a minimum may skip NaN.
    both = both.nan_to_num(torch.inf, posinf=torch.inf)
    nearest = both.argmin(dim=1, keepdim=True)
    matched = both.gather(1, nearest)
    if matched.isinf().any():
        return dict(labels=float('inf'))
    errors = dict(
        boxes=boxes.gather(1, nearest).max().item(), scores=scores.gather(1, nearest).max().item()
    )
    if 'masks' in one:
        errors['masks'] = relative_error(one['masks'], other['masks'][nearest[:, 0]])
    return errors
