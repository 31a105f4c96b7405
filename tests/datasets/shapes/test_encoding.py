"""PNG files, read back by the library that users read them with."""

import numpy as np
import pytest

from rexdense.datasets.shapes.encoding import encode_png

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    'image',
    [
        RNG.integers(0, 256, (7, 5, 3), dtype=np.uint8),
        RNG.integers(0, 256, (5, 7), dtype=np.uint8),
        RNG.integers(0, 65536, (6, 9), dtype=np.uint16),
        np.array([[0, 1, 255, 256, 65535]], np.uint16),
        np.full((1, 1, 3), 200, np.uint8),
    ],
    ids=['rgb', 'grey', '16 bit', '16 bit ends', 'one pixel'],
)
def test_png_keeps_every_pixel(image):
    cv2 = pytest.importorskip('cv2')
    decoded = cv2.imdecode(np.frombuffer(encode_png(image), np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded.dtype == image.dtype
    np.testing.assert_array_equal(decoded[..., ::-1] if image.ndim == 3 else decoded, image)
