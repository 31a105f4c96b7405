"""Label maps drawn in colour, with a legend."""

from collections import Counter

import numpy as np
import pytest

pytest.importorskip('cv2')
pytest.importorskip('mmengine')

import torch
from mmengine.structures import PixelData
from PIL import Image

from rexdense.datasets.segmentation.label_maps import read_label_map
from rexdense.tasks import Segmentation
from rexdense.visualization.labels import colour_labels, draw_labels, label_legend

COLOURS = [(10, 20, 30), (200, 0, 0), (0, 0, 200)]
CLASSES = ['background', 'cat', 'a dog with a long name']


def colours_in(picture):
    return {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}


def test_each_label_has_its_colour():
    labels = np.array([[0, 1], [2, 1]], np.uint16)
    assert colour_labels(labels, COLOURS).tolist() == [
        [[10, 20, 30], [200, 0, 0]],
        [[0, 0, 200], [200, 0, 0]],
    ]


@pytest.mark.parametrize('void', [3, 255])
def test_void_has_a_pattern_that_is_no_class(void):
    labels = np.full((16, 16), void, np.uint16)
    found = colours_in(colour_labels(labels, COLOURS))
    assert len(found) == 2 and not found & set(COLOURS)


def test_tinting_mixes_image_and_colour():
    image = np.full((4, 6, 3), 100, np.uint8)
    labels = np.ones((4, 6), np.uint16)
    drawn = draw_labels(image, labels, COLOURS, opacity=0.5)
    assert (drawn == [150, 50, 50]).all() and (image == 100).all()


def test_legend_has_the_classes_found_alone():
    legend = label_legend({0, 2, 255}, CLASSES, COLOURS, width=900)
    found = colours_in(legend)
    assert {COLOURS[0], COLOURS[2], (70, 70, 70), (130, 130, 130)} <= found
    assert COLOURS[1] not in found
    assert legend.shape[1] == 900 and legend.shape[0] < 40


@pytest.mark.parametrize('width', [30, 240, 1000])
@pytest.mark.parametrize('count', [1, 20, 150])
def test_legends_of_any_width_and_number(width, count):
    names = [f'class {index}' for index in range(count)]
    colours = [(index, 255 - index, 7) for index in range(count)]
    legend = label_legend(range(count), names, colours, width)
    assert legend.shape[1] == width
    # No swatch lies upon another.
    inner = 12 * 12
    shown = Counter(map(tuple, legend.reshape(-1, 3).tolist()))
    assert all(shown[colour] >= inner for colour in colours)


def test_names_end_at_the_edge():
    legend = label_legend({2}, CLASSES, COLOURS, width=90)
    assert (legend[:, -3:] == 255).all()
    assert (legend[:, 30:80] < 255).any()


@pytest.mark.parametrize('count', [2, 256, 257, 300, 1000])
def test_a_map_of_any_number_of_classes_is_written_as_it_is(count, tmp_path):
    """With a palette where a PNG has one, else with 16 bits."""
    labels = np.arange(20 * 50, dtype=np.uint16).reshape(20, 50) % count
    task = Segmentation(dict(classes=[f'class {index}' for index in range(count)]))
    sample = PixelData(data=torch.from_numpy(labels.astype(np.int64))[None])
    path = tmp_path / 'labels.png'
    path.write_bytes(task.encode(dict(pred_sem_seg=sample)))
    with Image.open(path) as image:
        assert (image.mode == 'P') == (count <= 256)
        assert np.array_equal(np.asarray(image), labels)
    assert np.array_equal(read_label_map(path), labels)
    task.draw(np.zeros((20, 50, 3), np.uint8), dict(pred_sem_seg=sample))


def test_void_beside_more_than_255_classes():
    """Class 255 has its own colour, and void the pattern."""
    names = ['x'] * 300
    colours = [(index % 250, 200, 100) for index in range(300)]
    shown, void = (
        Counter(map(tuple, label_legend({label}, names, colours, 900).reshape(-1, 3).tolist()))
        for label in (255, 400)
    )
    assert shown[colours[255]] > 100 > shown[70, 70, 70]
    assert void[70, 70, 70] > 50 < void[130, 130, 130]
