"""Texts in pictures, whatever characters they have."""

import numpy as np
import pytest

pytest.importorskip('cv2')
pytest.importorskip('mmcv')

from matplotlib.font_manager import FontEntry, fontManager

from rexdense.visualization import fonts
from rexdense.visualization.boxes import Objects, draw_objects
from rexdense.visualization.confusion import draw_confusion
from rexdense.visualization.fonts import font_file, written
from rexdense.visualization.labels import label_legend
from rexdense.visualization.tiles import text_size, titled, write_text

OTHER_LETTERS = ['Gefäß', 'клетка', 'κύτταρο', 'Tế bào', '\u1d81']
NAMES = ['ä\nb', '红', 'a\ud800', '\udcff', 'b\n\0', 'c' * 3000, '', 'Zähler', '\U0001f600']


@pytest.mark.parametrize('text', OTHER_LETTERS)
def test_other_letters_than_those_of_ascii(text):
    picture, unknown = np.zeros((2, 40, 200, 3), np.uint8)
    write_text(picture, text, 4, 30, ink=(255, 255, 255))
    write_text(unknown, '\U0010ffff' * len(text), 4, 30, ink=(255, 255, 255))
    assert written(text) == text and picture.any() and (picture != unknown).any()
    width, height, below = text_size(text)
    rows, columns = np.nonzero(picture.any(-1))
    # Some letters begin a bit before their place.
    assert columns.min() >= 3 and columns.max() < 4 + width
    assert 30 - height <= rows.min() and rows.max() <= 30 + below
    before = picture.copy()
    for left, baseline in ((-width, 30), (210, 30), (4, -90), (4, 90)):
        write_text(picture, text, left, baseline)
    assert (picture == before).all()
    write_text(picture, text, -width // 2, 30)
    write_text(picture, text, 190, 2)


def test_characters_of_no_font():
    assert written('a\U0010ffffä\nb') == 'a?ä?b'
    picture = np.zeros((40, 80, 3), np.uint8)
    write_text(picture, '\U0010ffff', 4, 30, ink=(255, 255, 255))
    assert picture.any()


def test_a_font_that_has_what_the_first_one_lacks():
    assert font_file('Gefäß').endswith('DejaVuSans.ttf')
    assert font_file('\u1d81a').endswith('STIXGeneral.ttf') and written('\u1d81a') == '\u1d81a'


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


def test_fonts_that_are_damaged_or_gone_are_passed_over(tmp_path, monkeypatch):
    (tmp_path / 'damaged.ttf').write_bytes(b'no font')
    entries = [
        FontEntry(fname=str(tmp_path / name), name='A', style='normal', weight=400)
        for name in ('damaged.ttf', 'gone.ttf')
    ]
    monkeypatch.setattr(fontManager, 'ttflist', [*entries, *fontManager.ttflist])
    for function in (fonts.font_file, fonts.written, fonts.font_of, fonts._has):
        function.cache_clear()
    assert written('\u1d81a') == '\u1d81a'
    assert written('\U0010fffd') == '?'
