"""Crops of classification: boxes by the formulas, sizes, content."""

import math

import numpy as np
import pytest

pytest.importorskip('mmcv')

from rexdense.datasets.transforms import RandomResizedCrop, ResizeCenterCrop
from rexdense.errors import InvalidArgument


def ramp(height, width):
    """An image whose blue is its row and whose green is its column."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, rows * 0], -1).astype(np.uint8)


def test_boxes_have_the_area_and_the_ratio_asked_for():
    np.random.seed(0)
    crop = RandomResizedCrop(8, area=(0.2, 0.6), ratio=(0.5, 2.0))
    boxes = np.array([crop.draw_box(400, 400) for _ in range(4000)], float)
    left, top, width, height = boxes.T
    share = width * height / 400**2
    assert share.min() > 0.19 and share.max() < 0.61
    # Uniform: the mean in the middle, the deviation that of a uniform variable.
    assert share.mean() == pytest.approx(0.4, abs=0.01)
    assert share.std() == pytest.approx(0.4 / math.sqrt(12), abs=0.01)
    logarithms = np.log(width / height)
    assert abs(logarithms.mean()) < 0.03
    assert logarithms.std() == pytest.approx(2 * math.log(2) / math.sqrt(12), abs=0.02)
    assert (left + width <= 400).all() and (top + height <= 400).all()
    # All places are equally likely.
    assert ((left + width / 2).mean(), (top + height / 2).mean()) == pytest.approx(
        (200, 200), abs=4
    )


@pytest.mark.parametrize(
    ('size', 'box'), [((10, 400), (193, 0, 13, 10)), ((400, 10), (0, 193, 10, 13)), ((1, 1), None)]
)
def test_an_image_that_no_box_fits_gives_its_middle(size, box):
    crop = RandomResizedCrop(8, area=(1.0, 1.0))
    found = crop.draw_box(*size)
    assert found == (box or (0, 0, 1, 1))


def test_the_crop_is_cut_where_the_box_says(monkeypatch):
    crop = RandomResizedCrop(20, interpolation='bilinear')
    monkeypatch.setattr(crop, 'draw_box', lambda height, width: (30, 50, 20, 20))
    results = crop(dict(img=ramp(100, 90)))
    assert np.array_equal(results['img'], ramp(100, 90)[50:70, 30:50])
    assert results['img_shape'] == (20, 20)


@pytest.mark.parametrize(
    ('height', 'width'), [(100, 200), (200, 100), (64, 64), (65, 97), (3, 500)]
)
@pytest.mark.parametrize('crop', [0.875, 1.0])
def test_the_central_square_has_the_size(height, width, crop):
    image = np.zeros((height, width, 3), np.uint8)
    assert ResizeCenterCrop(32, crop)(dict(img=image))['img'].shape == (32, 32, 3)


def test_the_centre_is_what_pillow_gives_within_rounding():
    from PIL import Image

    image = ramp(64, 96)
    # 56 / 0.875 = 64: nothing is resized, and the middle 56 x 56 pixels are left.
    found = ResizeCenterCrop(56, 0.875)(dict(img=image))['img']
    assert np.array_equal(found, np.asarray(Image.fromarray(image).crop((20, 4, 76, 60))))


def test_a_strong_reduction_does_not_alias():
    checkers = ((np.indices((400, 400)).sum(0) % 2) * 255).astype(np.uint8)
    image = np.repeat(checkers[..., None], 3, 2)
    found = ResizeCenterCrop(50, 1.0)(dict(img=image))['img']
    assert abs(found.astype(int) - 127.5).max() <= 1


@pytest.mark.parametrize(
    'arguments',
    [
        dict(size=0),
        dict(size=True),
        dict(size=8.0),
        dict(size=8, interpolation='cubic'),
        dict(size=8, area=(0.5, 0.1)),
        dict(size=8, area=(0.5, 1.1)),
        dict(size=8, ratio=(0, 1)),
    ],
)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(InvalidArgument):
        RandomResizedCrop(**arguments)


@pytest.mark.parametrize('crop', [0, 1.1, -1])
def test_wrong_shares_are_refused(crop):
    with pytest.raises(InvalidArgument):
        ResizeCenterCrop(8, crop)
