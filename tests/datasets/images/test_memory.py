"""The order of pixels in memory."""

import numpy as np
import pytest

pytest.importorskip('mmcv')

from rexdense.datasets.images.memory import in_order

IMAGE = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


@pytest.mark.parametrize(
    'view',
    [
        IMAGE,
        np.flip(IMAGE, 1),
        np.flip(IMAGE, 0),
        np.flip(IMAGE, (0, 1)),
        IMAGE[1:4, 2:5],
        np.flip(IMAGE[1:4, 2:5], 1),
        IMAGE[..., ::-1],
        np.flip(IMAGE[..., :1], 1),
        np.flip(IMAGE[:, :1], 1),
        IMAGE[:0],
    ],
)
def test_views_come_out_with_their_pixels_one_after_the_other(view):
    found = in_order(view)
    assert found.flags.c_contiguous and np.array_equal(found, view)
    assert found is view or not np.shares_memory(found, view)
    assert (found is view) == view.flags.c_contiguous
