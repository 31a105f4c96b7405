"""Colours of feature maps and of heat over images."""

import cv2
import numpy as np
import pytest

pytest.importorskip('mmcv')

from rexdense.visualization.feature_maps import TILE, colour_map, draw_maps, heat_over

VIRIDIS = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_VIRIDIS)[:, 0]


def test_a_map_goes_from_its_lowest_to_its_highest_value():
    found = colour_map(np.array([[-3.0, 7.0], [2.0, -3.0]]), 10)
    assert found.shape == (10, 10, 3)
    cells = found[2, 2], found[2, 7], found[7, 2]
    assert [cell.tolist() for cell in cells] == [
        VIRIDIS[place][::-1].tolist() for place in (0, 255, 128)
    ]


def test_a_map_of_one_value_is_dark():
    assert (colour_map(np.full((2, 3), 4.0), 8) == VIRIDIS[0][::-1]).all()


def test_heat_leaves_cold_places_as_they_are():
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    heat = np.zeros((4, 6))
    heat[0, 0] = 3
    found = heat_over(image, heat)
    assert np.array_equal(found[20:, 30:], image[20:, 30:])
    assert found[0, 0, 0] > found[0, 0, 2]  # red
    assert np.array_equal(heat_over(image, heat * 0), image)


@pytest.mark.parametrize('size', [(40, 60), (60, 40), (50, 50)])
def test_a_sheet_has_its_rows_and_maps(size):
    image = np.zeros((*size, 3), np.uint8)
    maps = [(number, np.zeros((4, 6))) for number in range(3)]
    sheet = draw_maps(image, [('c1', maps), ('c2', maps[:1])])
    assert sheet.shape[0] == 2 * (2 * 26 + TILE + 2 * 8) and sheet.dtype == np.uint8
    width = round(TILE * size[1] / size[0])
    assert sheet.shape[1] == width + 8 + 3 * (216 + 8) + 8
