"""Boundaries of label maps, counted by hand and as the authors of boundary IoU erode them."""

import pytest

pytest.importorskip('cv2')

import cv2
import numpy as np

from rexdense.evaluation.boundaries import boundary_areas, boundary_pixels, boundary_width

RANDOM = np.random.default_rng(0)


def eroded_away(mask, width):
    """The authors' ``mask_to_boundary`` for one mask of 0 and 1."""
    framed = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(framed, np.ones((3, 3), np.uint8), iterations=width)
    return (mask - eroded[1:-1, 1:-1]).astype(bool)


@pytest.mark.parametrize(
    ('size', 'expected'), [((360, 480), 12), ((3, 4), 1), ((1024, 2048), 46), ((1, 1), 1)]
)
def test_width_is_two_percent_of_the_diagonal(size, expected):
    assert boundary_width(*size) == expected


@pytest.mark.parametrize('width', [1, 2, 5])
@pytest.mark.parametrize('size', [(60, 80), (31, 17), (4, 40)])
def test_boundaries_are_those_of_eroded_masks(size, width):
    coarse = RANDOM.integers(0, 5, (6, 8), np.uint8)
    labels = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_NEAREST)
    found = boundary_pixels(labels, np.zeros(size, bool), width)
    for label in range(5):
        mask = (labels == label).astype(np.uint8)
        assert np.array_equal(found & (labels == label), eroded_away(mask, width))


def test_void_makes_no_contour():
    labels = np.zeros((9, 20), np.uint8)
    labels[:, 8:] = 255
    labels[:, 16:] = 1
    found = boundary_pixels(labels, labels == 255, width=2)
    inside = np.zeros((9, 20), bool)
    inside[2:-2, 2:8] = True
    inside[2:-2, 16:-2] = True
    assert np.array_equal(found, ~inside & (labels != 255))


def test_squares_beside_each_other():
    """Two squares of 4 x 4 in an image of 8 x 12, the prediction one pixel to the right."""
    truth, prediction = np.zeros((8, 12), int), np.zeros((8, 12), int)
    truth[2:6, 2:6] = 1
    prediction[2:6, 3:7] = 1
    intersection, union = boundary_areas(truth, prediction, num_classes=3)
    # Rings of 12 pixels, one wide; they share 3 pixels above, 3 below, none at the sides.
    assert intersection[1] == 6
    assert union[1] == 12 + 12 - 6
    assert (intersection[2], union[2]) == (0, 0)


def test_perfect_prediction_beside_void():
    truth = RANDOM.integers(0, 3, (40, 50))
    prediction = truth.copy()
    truth[10:20, 5:30] = 255
    prediction[10:20, 5:30] = 2
    intersection, union = boundary_areas(truth, prediction, num_classes=3)
    assert (intersection == union).all() and (union > 0).all()


def test_images_of_one_pixel_and_of_void():
    one = np.zeros((1, 1), int)
    assert [area.tolist() for area in boundary_areas(one, one, 2)] == [[1, 0], [1, 0]]
    void = np.full((5, 5), 255)
    assert [area.tolist() for area in boundary_areas(void, void * 0, 2)] == [[0, 0], [0, 0]]
