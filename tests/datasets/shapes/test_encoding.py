"""PNG files and run-length masks, read back by the libraries that users read them with."""

import numpy as np
import pytest

from rexdense.datasets.shapes.encoding import encode_mask, encode_png

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


def masks():
    corner = np.zeros((9, 4), bool)
    corner[0, 0] = True
    yield 'empty', np.zeros((6, 7), bool)
    yield 'full', np.ones((6, 7), bool)
    yield 'first pixel', corner
    yield 'last pixel', corner[::-1, ::-1]
    yield 'checks', np.indices((5, 6)).sum(axis=0) % 2 == 1
    yield 'random', RNG.random((40, 50)) < 0.3
    # Runs of tens of thousands take several characters; the differences are of both signs.
    wide = np.zeros((700, 900), bool)
    wide[:, 3:400] = True
    wide[10:20, 500:505] = True
    yield 'long runs', wide


@pytest.mark.parametrize('mask', [pytest.param(mask, id=name) for name, mask in masks()])
def test_masks_equal_those_of_pycocotools(mask):
    coco_mask = pytest.importorskip('pycocotools.mask')
    expected = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    code = encode_mask(mask)
    assert code == {'size': expected['size'], 'counts': expected['counts'].decode()}
    np.testing.assert_array_equal(coco_mask.decode(code), mask)
