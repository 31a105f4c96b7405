"""Plots of a detector's precision and errors."""

import cv2
import numpy as np
import pytest

pytest.importorskip('matplotlib')

from rexdense.visualization.plots.detection import plot_errors, plot_precision_recall
from rexdense.visualization.plots.figures import plain

KINDS = ('class', 'location', 'both', 'duplicate', 'background', 'missed')


def pixels(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize('classes', [1, 3, 40])
def test_curves_of_any_number_of_classes(classes):
    random = np.random.default_rng(0)
    precision = np.sort(random.random((10, 101, classes)), axis=1)[:, ::-1]
    picture = pixels(plot_precision_recall(precision, [f'class {n}' for n in range(classes)], 'a'))
    assert picture.shape == (500, 1300, 3) and picture.min() < 30
    # A class without objects changes nothing.
    more = np.concatenate([precision, np.full((10, 101, 1), -1.0)], axis=2)
    names = [f'class {n}' for n in range(classes + 1)]
    assert (pixels(plot_precision_recall(more, names, 'a')) == picture).all()


@pytest.mark.filterwarnings('error')
def test_curves_of_classes_of_any_name():
    names = ['_a', r'a $\frac$ b', 'a $x$ b', 'Gefäß', '红细胞', '\u1d81']
    picture = pixels(plot_precision_recall(np.full((10, 101, 6), 0.5), names, 'a'))
    assert picture.shape == (500, 1300, 3)
    # Else matplotlib leaves the one out, and takes the other for mathematics.
    assert [plain('_a'), plain('a$')] == [' _a', r'a\$']


def test_no_class_has_objects():
    picture = pixels(plot_precision_recall(np.full((10, 101, 2), -1.0), ['a', 'b'], 'boxes'))
    assert picture.shape == (500, 1300, 3)


def test_bars_are_as_long_as_what_they_show():
    def bar(value):
        gains = dict.fromkeys(KINDS, 0.0) | {'class': 1.0, 'location': value}
        picture = pixels(plot_errors(gains, dict.fromkeys(KINDS, 1), 0.3, 'boxes'))
        left = picture[:, : picture.shape[1] // 2]
        blue = (left == (178, 114, 0)).all(-1).sum(1)
        return blue.max(), blue[blue > 0]

    longest, rows = bar(0.5)
    assert longest > 300 and abs(np.median(rows[rows < longest]) - longest / 2) < 4
    assert bar(float('nan'))[0] == longest


def test_all_zero_and_below():
    for value in (0.0, -0.1, float('nan')):
        plot_errors(dict.fromkeys(KINDS, value), dict.fromkeys(KINDS, 0), 0.3, 'boxes')
