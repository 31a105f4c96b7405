"""Depth maps in colour and as files."""

import numpy as np
import pytest

pytest.importorskip('cv2')

from rexdense.visualization.depth import (
    colour_depth,
    depth_in_millimetres,
    depth_range,
    depth_scale,
)


def test_near_is_brighter_than_far_and_no_depth_is_black():
    depth = np.array([[1.0, 2.0, 3.0, 0.0, np.nan, np.inf, -1.0]], np.float32)
    drawn = colour_depth(depth, 1, 3)[0].astype(int).sum(1)
    assert drawn[0] > drawn[1] > drawn[2] > 0
    assert not drawn[3:].any()


def test_beyond_the_range_the_colours_end():
    drawn = colour_depth(np.array([[0.5, 1, 3, 9]], np.float32), 1, 3)[0].tolist()
    assert drawn[0] == drawn[1] and drawn[2] == drawn[3] != drawn[0]


def test_range_leaves_single_pixels_and_no_depth_out():
    depth = np.linspace(1, 3, 1000, dtype=np.float32)
    depth[:3] = 0, np.nan, 1000
    nearest, farthest = depth_range([depth[:500], depth[500:]])
    assert 1 < nearest < 1.1 and 2.9 < farthest < 3
    assert depth_range([np.zeros(4)]) == (0, 1)
    one, other = depth_range([np.full(4, 2.0)])
    assert other > one == 2


@pytest.mark.parametrize('span', [(0, 1), (0.4, 0.9), (2.5, 80), (5, 5.001), (100, 65000)])
@pytest.mark.parametrize('width', [240, 1200])
def test_scale_shows_the_colours_in_order(span, width):
    scale = depth_scale(*span, width)
    bar = scale[8, 4 : width - 12]
    assert scale.shape[1] == width
    assert bar[0].tolist() == colour_depth(np.array([[max(span[0], 1e-9)]]), *span)[0, 0].tolist()
    assert bar[-1].tolist() == colour_depth(np.array([[float(span[1])]]), *span)[0, 0].tolist()
    # Numbers stand below, none cut off at the edges.
    assert (scale[26:38] < 128).any() and (scale[24:, [0, 1, -1]] == 255).all()


def test_millimetres():
    depth = np.array([[1.2344, 0, np.nan, 65.535, 70, -2]], np.float32)
    millimetres, beyond = depth_in_millimetres(depth)
    assert millimetres.tolist() == [[1234, 0, 0, 65535, 65535, 0]]
    assert millimetres.dtype == np.uint16 and beyond == 1
