"""Conversion of masks between arrays of pixels and COCO's polygons and run lengths.

Run lengths are encoded here so that a data set can be made without pycocotools.
"""

from typing import Any

import numpy as np

from rexdense.datasets.coco.run_lengths import runs_of_text
from rexdense.errors import DataError


def box_of_pixels(mask: np.ndarray) -> list[int]:
    """Return [left, top, width, height] of a bool mask (height, width) that is not empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    left, top = int(columns[0]), int(rows[0])
    return [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top]


def decode_mask(segmentation: list | dict, height: int, width: int) -> np.ndarray:
    """Return the pixels (height, width), bool, of a mask from
    :func:`~rexdense.datasets.coco.cleaning.clean_segmentation`.

    Polygons give the same pixels as in pycocotools.

    Args:
        segmentation: Polygons in pixels of the image, or run lengths of its size.
        height, width: Size of the image in pixels.

    Raises:
        DataError: the text of the run lengths is damaged.
    """
    if isinstance(segmentation, dict):
        counts = segmentation['counts']
        runs = runs_of_text(counts) if isinstance(counts, str) else counts
        if sum(runs) != height * width:
            raise DataError(
                f'mask run lengths of {sum(runs)} pixels, of an image of {height * width}'
            )
        return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T
    from pycocotools import mask as mask_tools

    parts = mask_tools.frPyObjects(segmentation, height, width)
    return mask_tools.decode(mask_tools.merge(parts)).astype(bool)


def encode_mask(mask: np.ndarray) -> dict[str, Any]:
    """Return a mask as COCO's compressed run lengths: ``size`` (height, width) and ``counts``.

    Runs alternate between outside and inside, down the columns, starting outside. From the fourth
    run on, the difference to the run two before is written. Each number is written in groups of
    five bits, the lowest first, with a sixth bit for "more follows", as characters from ``'0'`` on.
    Source: ``rleToString`` in cocodataset/cocoapi ``common/maskApi.c``.

    Args:
        mask: (height, width) of bool.
    """
    pixels = mask.T.ravel()
    starts = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    runs = np.diff([0, *starts, pixels.size]).tolist()
    if pixels[0]:
        runs.insert(0, 0)
    characters = []
    for index, run in enumerate(runs):
        value = run - runs[index - 2] if index > 2 else run
        more = True
        while more:
            group = value & 31
            value >>= 5
            # The highest bit of the last group is the sign.
            more = value != (-1 if group & 16 else 0)
            characters.append(chr(48 + (group | 32 if more else group)))
    return {'size': list(mask.shape), 'counts': ''.join(characters)}
