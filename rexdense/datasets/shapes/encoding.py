"""Arrays as the bytes that files hold: PNG images and COCO's run-length masks.

The masks are encoded here, so that a set can be made without pycocotools.
"""

import io

import numpy as np
from PIL import Image

__all__ = ['encode_mask', 'encode_png']


def encode_png(image: np.ndarray) -> bytes:
    """Return a PNG file with the pixels of ``image``, unchanged.

    Args:
        image: (height, width, 3) of uint8 for RGB, or (height, width) of uint8 or uint16 for grey.
    """
    file = io.BytesIO()
    Image.fromarray(image).save(file, 'PNG', compress_level=1)
    return file.getvalue()


def encode_mask(mask: np.ndarray) -> dict[str, list[int] | str]:
    """Return a mask as COCO's compressed run-length code: ``size`` (height, width) and ``counts``.

    Runs alternate between outside and inside, down the columns, starting outside; from the fourth
    on, the difference to the run two before stands for a run. Each is written in groups of five
    bits, the lowest first, with a sixth bit for "more follows", as characters from ``'0'`` on.
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
            # The last group's highest bit is the sign.
            more = value != (-1 if group & 16 else 0)
            characters.append(chr(48 + (group | 32 if more else group)))
    return {'size': list(mask.shape), 'counts': ''.join(characters)}
