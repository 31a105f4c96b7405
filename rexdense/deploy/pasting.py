"""Pasting of a detector graph's box masks into the image."""

import numpy as np


def paste_masks(
    logits: np.ndarray, boxes: np.ndarray, height: int, width: int, threshold: float = 0.5
) -> np.ndarray:
    """Return masks (D, height, width) of bool for an image.

    Probabilities are interpolated between the centres of the mask's cells, and are 0 outside them
    (mmdet ``_do_paste_mask``, grid_sample with align_corners=False).

    Args:
        logits: (D, h, w), the graph's ``masks`` of one image, only those of detections.
        boxes: (D, 4), x1, y1, x2, y2 in pixels of the output image.
        height: Height of the output image in pixels.
        width: Width of the output image in pixels.
        threshold: The minimum probability of a mask's pixel.

    Example:
        >>> logits = np.full((1, 28, 28), 9.0)
        >>> paste_masks(logits, np.array([[2.0, 1.0, 5.0, 3.0]]), 4, 6).astype(int)[0]
        array([[0, 0, 0, 0, 0, 0],
               [0, 0, 1, 1, 1, 0],
               [0, 0, 1, 1, 1, 0],
               [0, 0, 0, 0, 0, 0]])
    """
    masks = np.zeros((len(logits), height, width), bool)
    # Pad with a cell of zeros on each side.
    cells = np.pad(1 / (1 + np.exp(-logits.astype(np.float32))), ((0, 0), (1, 1), (1, 1)))
    for mask, probabilities, (left, top, right, bottom) in zip(masks, cells, boxes, strict=True):
        rows = _weights(top, bottom, height, probabilities.shape[0])
        columns = _weights(left, right, width, probabilities.shape[1])
        if rows is not None and columns is not None:
            (y, down), (x, across) = rows, columns
            mask[np.ix_(y, x)] = down @ probabilities @ across.T >= threshold
    return masks


def _weights(
    start: float, end: float, length: int, cells: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the pixels (P,) from one before a box to one after it, and the weight of each cell for
    each pixel (P, cells); None if the image has none of them."""
    pixels = np.arange(max(int(np.floor(start)) - 1, 0), min(int(np.ceil(end)) + 1, length))
    if not len(pixels) or end <= start:
        return None
    # In padded cells, the mask's first cell has index 1.
    place = (pixels + np.float32(0.5) - start) / (end - start) * (cells - 2) + 0.5
    return pixels, np.maximum(0, 1 - np.abs(place[:, None] - np.arange(cells))).astype(np.float32)
