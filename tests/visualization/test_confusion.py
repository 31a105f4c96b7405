"""Confusion matrices as pictures."""

import numpy as np
import pytest

pytest.importorskip('cv2')

from rexdense.visualization.confusion import CELL, draw_confusion

FULL = (8, 48, 107)


@pytest.mark.parametrize('count', [2, 11, 40])
def test_a_perfect_matrix_is_dark_on_the_diagonal(count):
    picture = draw_confusion(np.eye(count, dtype=int) * 7, ['name'] * count)
    rows, columns = np.nonzero((picture == FULL).all(-1))
    grid = picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    corners = grid[1::CELL, 1::CELL][:count, :count]
    assert np.array_equal((corners == FULL).all(-1), np.eye(count, dtype=bool))


def test_rows_are_the_truth_and_one_without_pixels_is_empty():
    confusion = np.array([[0, 10, 0], [0, 0, 0], [5, 0, 5]])
    picture = draw_confusion(confusion, ['a', 'b', 'c'])
    (row,), (column,) = (
        np.unique(place // 2)[:1] for place in np.nonzero((picture == FULL).all(-1))
    )
    top, left = 2 * row, 2 * column
    shades = picture[top + 2 :: CELL, left + 2 - CELL :: CELL][:3, :3].astype(int).sum(-1)
    assert shades[0].tolist() == [3 * 255, sum(FULL), 3 * 255]
    assert shades[1].tolist() == [3 * 255] * 3
    assert shades[2, 0] == shades[2, 2] < shades[2, 1] == 3 * 255


def test_long_names_are_shortened():
    short = draw_confusion(np.eye(2), ['a' * 22 + '..', 'b'])
    assert draw_confusion(np.eye(2), ['a' * 300, 'b']).tolist() == short.tolist()


@pytest.mark.parametrize('count', [201, 300, 1000])
def test_many_classes_make_no_larger_a_picture(count):
    picture = draw_confusion(np.eye(count, dtype=int), [f'class {n}' for n in range(count)])
    cell = picture.shape[0] // count
    assert picture.shape == (cell * count, cell * count, 3) and 3000 < picture.shape[0] <= 6400
    assert tuple(picture[-1, -1]) == (8, 48, 107) and tuple(picture[0, -1]) == (255, 255, 255)
