"""Removal of low-scoring objects before a detector computes their masks."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np


@contextlib.contextmanager
def masks_from(model: Any, score: float) -> Iterator[None]:
    """Make a two-stage detector of mmdet drop objects below a score before it computes masks.

    The results above that score stay the same up to rounding, because only better boxes suppress a
    box.

    Args:
        model: The model. It is unchanged if it is of another kind, if its second stage has no
            threshold, or if it rates masks: Mask Scoring R-CNN can raise the score of an object by
            its mask.
    """
    head = getattr(model, 'roi_head', None)
    settings = getattr(head, 'test_cfg', None) or {}
    before = settings.get('score_thr')
    if before is None or hasattr(head, 'mask_iou_head'):
        yield
        return
    # mmdet keeps scores above its threshold, not equal ones.
    settings['score_thr'] = max(before, float(np.nextafter(np.float32(score), np.float32(-1))))
    try:
        yield
    finally:
        settings['score_thr'] = before
