"""Texts in pictures, whatever characters they have."""

import numpy as np
import pytest

pytest.importorskip('cv2')
pytest.importorskip('mmcv')

from rexdense.visualization.boxes import Objects, draw_objects
from rexdense.visualization.confusion import draw_confusion
from rexdense.visualization.labels import label_legend
from rexdense.visualization.tiles import text_size, titled, write_text

NAMES = ['a\ud800', '\udcff', 'b\n\0', 'c' * 3000, '', 'Zähler', '\U0001f600']


def test_half_a_character_is_a_question_mark():
    pictures = np.zeros((2, 40, 80, 3), np.uint8)
    for picture, text in zip(pictures, ('a\ud800b', 'a?b'), strict=True):
        write_text(picture, text, 4, 30, ink=(255, 255, 255))
    assert pictures.any() and (pictures[0] == pictures[1]).all()
    assert text_size('a\ud800b') == text_size('a?b')


@pytest.mark.parametrize('name', NAMES)
def test_every_picture_with_names_can_be_drawn(name):
    image = np.full((60, 90, 3), 255, np.uint8)
    objects = Objects(np.array([[5.0, 5.0, 50.0, 50.0]]), np.array([0]), np.array([0.5]))
    assert draw_objects(image, objects, [name]).shape == image.shape
    assert label_legend([0], [name, 'b'], [(0, 0, 0), (1, 1, 1)], 90).shape[1] == 90
    assert draw_confusion(np.eye(2), [name, 'b']).ndim == 3
    assert titled(image, name).ndim == 3
