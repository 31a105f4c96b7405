"""The figure of the 2018 Data Science Bowl, on masks made by hand."""

import math

import numpy as np
import pytest

from rexdense.datasets.coco.masks import encode_mask
from rexdense.evaluation.coco_comparison import ComparedImage
from rexdense.evaluation.data_science_bowl import data_science_bowl

SIDE = 40


def mask(left, top, width, height):
    pixels = np.zeros((SIDE, SIDE), bool)
    pixels[top : top + height, left : left + width] = True
    return dict(segmentation=encode_mask(pixels))


def image(objects=(), found=(), crowd=None, scores=None):
    """An image of boxes as masks; scores fall from 0.9 on."""
    scores = np.array(scores or [0.9 - 0.01 * place for place in range(len(found))])
    crowd = np.array(crowd or [False] * len(objects), bool)
    labels = np.zeros(len(objects), int), np.zeros(len(found), int)
    masks = [[mask(*box) for box in boxes] for boxes in (found, objects)]
    overlaps = np.zeros((len(found), len(objects)))
    return ComparedImage(scores, labels[1], labels[0], crowd, overlaps, (SIDE, SIDE), *masks)


OBJECT, OTHER = (0, 0, 10, 10), (20, 20, 10, 10)


@pytest.mark.parametrize(
    ('found', 'expected'),
    [
        ([OBJECT, OTHER], 1),
        ([OBJECT], 0.5),
        ([OBJECT, OTHER, (0, 30, 5, 5)], 2 / 3),
        # An IoU of 0.8 is above 0.5 to 0.75, the first six thresholds, and not above 0.8.
        ([(0, 0, 8, 10), (20, 20, 8, 10)], 0.6),
        # One object right at six thresholds, 1 / 3 there with a wrong and a missed one besides.
        ([(0, 0, 8, 10)], 6 / 10 * 1 / 2),
        ([(0, 0, 8, 10), (0, 30, 5, 5)], 6 / 10 * 1 / 3),
        # An IoU of 0.5 is above no threshold.
        ([(0, 0, 5, 10), OTHER], 1 / 3),
        # Of a second mask on the same pixels nothing is left, or the part that is its own.
        ([OBJECT, OBJECT, OTHER], 1),
        ([OBJECT, (0, 0, 10, 12), OTHER], 2 / 3),
        ([], 0),
    ],
)
def test_an_image_of_two_objects(found, expected):
    assert data_science_bowl([image([OBJECT, OTHER], found)]) == pytest.approx(expected)


def test_the_score_is_the_mean_of_the_images():
    images = [image([OBJECT], [OBJECT]), image([OBJECT, OTHER], [OBJECT]), image([], [OTHER])]
    assert data_science_bowl(images) == pytest.approx((1 + 0.5 + 0) / 3)


def test_an_image_without_anything_is_left_out():
    assert math.isnan(data_science_bowl([image()]))
    assert data_science_bowl([image(), image([OBJECT], [OBJECT])]) == 1


def test_masks_of_low_scores_do_not_count():
    one = image([OBJECT], [OBJECT, OTHER], scores=[0.9, 0.4])
    assert data_science_bowl([one]) == 1
    assert data_science_bowl([one], score=0.4) == 0.5
    assert data_science_bowl([one], score=0.95) == 0


def test_detections_in_a_crowd_are_neither_right_nor_wrong():
    crowd = [False, True]
    found = [OBJECT, (21, 21, 4, 4), (28, 20, 4, 4)]  # within the crowd, and half in it
    assert data_science_bowl([image([OBJECT, OTHER], found, crowd)]) == 1
    found.append((29, 20, 4, 4))  # a quarter of what the better ones have left
    assert data_science_bowl([image([OBJECT, OTHER], found, crowd)]) == 0.5


def test_objects_that_overlap_count_each():
    objects = [OBJECT, (0, 0, 10, 9)]
    # The one mask is above 0.9 with both, and can be right once.
    assert data_science_bowl([image(objects, [OBJECT])]) == pytest.approx(0.5)
