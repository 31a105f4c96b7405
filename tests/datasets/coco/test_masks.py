"""Masks as polygons and run lengths, against pycocotools."""

import numpy as np
import pytest

from rexdense.datasets.coco.masks import decode_mask, encode_mask
from rexdense.errors import DataError

RNG = np.random.default_rng(0)


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
    np.testing.assert_array_equal(decode_mask(code, *mask.shape), mask)
    changes = np.flatnonzero(np.diff(mask.ravel('F').astype(int), prepend=0))
    plain = np.diff([0, *changes, mask.size]).tolist()
    uncompressed = {'size': list(mask.shape), 'counts': plain}
    np.testing.assert_array_equal(decode_mask(uncompressed, *mask.shape), mask)


@pytest.mark.parametrize('counts', ['', 'b23U', 'o' * 10**6, [3, 4], [0, 10**15]])
def test_damaged_run_lengths(counts):
    """Within a moment, and in little memory."""
    with pytest.raises(DataError, match='pixels, of an image of 12'):
        decode_mask({'size': [3, 4], 'counts': counts}, 3, 4)


def test_polygons_are_filled():
    pytest.importorskip('pycocotools')
    mask = decode_mask([[2, 1, 6, 1, 6, 4, 2, 4], [8, 5, 10, 5, 10, 7, 8, 7]], 8, 12)
    expected = np.zeros((8, 12), bool)
    expected[1:4, 2:6] = expected[5:7, 8:10] = True
    np.testing.assert_array_equal(mask, expected)
