"""Images as the bytes of PNG files."""

import io

import numpy as np
from PIL import Image


def encode_png(image: np.ndarray) -> bytes:
    """Return a PNG file with the pixels of ``image``, unchanged.

    Args:
        image: (height, width, 3) of uint8 for RGB, or (height, width) of uint8 or uint16 for grey.
    """
    file = io.BytesIO()
    Image.fromarray(image).save(file, 'PNG', compress_level=1)
    return file.getvalue()
