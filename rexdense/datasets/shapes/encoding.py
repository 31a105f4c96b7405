"""Arrays as the bytes that files hold: PNG images and COCO's run-length masks.

Written here, so that a set can be made where numpy is the only package.
"""

import struct
import zlib

import numpy as np

__all__ = ['encode_mask', 'encode_png']


def encode_png(image: np.ndarray) -> bytes:
    """Return a PNG file with the pixels of ``image``, unchanged.

    Source: PNG specification, third edition (W3C 2025), sections 5 (chunks), 9 (filters) and 11.2.

    Args:
        image: (height, width, 3) of uint8 for RGB, or (height, width) of uint8 or uint16 for grey.
    """
    height, width = image.shape[:2]
    color_type = 2 if image.ndim == 3 else 0
    assert image.dtype in (np.uint8, np.uint16) and (color_type == 0 or image.shape[2] == 3)
    rows = image.astype(image.dtype.newbyteorder('>')).reshape(height, -1).view(np.uint8)
    # Filter 2, "up": each byte less the one above it, modulo 256.
    filtered = np.full((height, rows.shape[1] + 1), 2, np.uint8)
    filtered[:, 1:] = rows
    filtered[1:, 1:] -= rows[:-1]
    header = struct.pack('>IIBBBBB', width, height, 8 * image.dtype.itemsize, color_type, 0, 0, 0)
    chunks = (b'IHDR', header), (b'IDAT', zlib.compress(filtered.tobytes(), 1)), (b'IEND', b'')
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
        for name, data in chunks
    )


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
