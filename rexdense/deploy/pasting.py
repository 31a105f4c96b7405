"""Masks of whole images from what a detector's graph says of each box."""

import numpy as np


def paste_masks(
    logits: np.ndarray, boxes: np.ndarray, height: int, width: int, threshold: float = 0.5
) -> np.ndarray:
    """Return masks (D, height, width), bool, of an image.

    Between the cells of a mask, whose centres lie within its box, probabilities are interpolated;
    around them they are 0 (mmdet ``_do_paste_mask``, grid_sample with align_corners=False).

    Args:
        logits: (D, h, w): the graph's ``masks`` of one image, of the detections alone.
        boxes: (D, 4), x1, y1, x2, y2 in pixels of the image that the masks are wanted for.
        height: Of that image, in pixels.
        width: Likewise.
        threshold: The least probability of a pixel of the object.

    Example:
        >>> logits = np.full((1, 28, 28), 9.0)
        >>> paste_masks(logits, np.array([[2.0, 1.0, 5.0, 3.0]]), 4, 6).astype(int)[0]
        array([[0, 0, 0, 0, 0, 0],
               [0, 0, 1, 1, 1, 0],
               [0, 0, 1, 1, 1, 0],
               [0, 0, 0, 0, 0, 0]])
    """
    masks = np.zeros((len(logits), height, width), bool)
    # A cell of zeros all around.
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
    """Return the pixels (P,) from a pixel before a box to one after it, and how much of each cell
    goes into each (P, cells); None where the image has none of them."""
    pixels = np.arange(max(int(np.floor(start)) - 1, 0), min(int(np.ceil(end)) + 1, length))
    if not len(pixels) or end <= start:
        return None
    # Of the padded cells, the first of the mask is number 1.
    place = (pixels + np.float32(0.5) - start) / (end - start) * (cells - 2) + 0.5
    return pixels, np.maximum(0, 1 - np.abs(place[:, None] - np.arange(cells))).astype(np.float32)
