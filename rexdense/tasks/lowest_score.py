"""Objects of low scores left out before a detector computes their masks."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np


@contextlib.contextmanager
def masks_from(model: Any, score: float) -> Iterator[None]:
    """Let a two-stage detector of mmdet leave out objects below a score before it computes masks.

    What is found from that score on stays the same, but for rounding, for boxes are suppressed by
    better ones alone.

    Args:
        model: Others, those whose second stage has no threshold, and those that rate masks stay as
            they are: Mask Scoring R-CNN can raise the score of an object by its mask.
    """
    head = getattr(model, 'roi_head', None)
    settings = getattr(head, 'test_cfg', None) or {}
    before = settings.get('score_thr')
    if before is None or hasattr(head, 'mask_iou_head'):
        yield
        return
    # mmdet keeps what lies above its threshold.
    settings['score_thr'] = max(before, float(np.nextafter(np.float32(score), np.float32(-1))))
    try:
        yield
    finally:
        settings['score_thr'] = before
