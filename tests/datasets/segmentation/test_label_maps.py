"""Label maps as they come, and what is no label map."""

import numpy as np
import pytest
from PIL import Image

from rexdense.datasets.segmentation.label_maps import check_labels, read_label_map
from rexdense.errors import DataError

LABELS = np.array([[0, 1, 2], [255, 2, 1]], np.uint8)


def saved(tmp_path, image):
    path = tmp_path / 'labels.png'
    image.save(path)
    return path


def test_grey_values_and_palette_indices_are_labels(tmp_path):
    assert np.array_equal(read_label_map(saved(tmp_path, Image.fromarray(LABELS))), LABELS)
    with_palette = Image.fromarray(LABELS)
    with_palette.putpalette([7, 8, 9] * 256)
    assert with_palette.mode == 'P'
    assert np.array_equal(read_label_map(saved(tmp_path, with_palette)), LABELS)


def test_black_and_white_is_two_labels(tmp_path):
    image = Image.fromarray(LABELS == 2)
    assert read_label_map(saved(tmp_path, image)).tolist() == [[0, 0, 1], [0, 1, 0]]


def test_sixteen_bits_are_read_as_they_are(tmp_path):
    image = Image.fromarray(LABELS.astype(np.uint16) + 300)
    assert read_label_map(saved(tmp_path, image)).max() == 555


@pytest.mark.parametrize(
    'image, message',
    [
        (Image.fromarray(LABELS).convert('RGB'), r'3 channels \(RGB\).*save one of them'),
        (Image.fromarray(np.eye(3, dtype=np.uint8)[LABELS % 3]), 'give each pixel its class index'),
        (Image.fromarray(LABELS).convert('RGBA'), r'4 channels \(RGBA\)'),
    ],
)
def test_colours_are_refused_and_it_is_said_how_to_convert(tmp_path, image, message):
    with pytest.raises(DataError, match=message):
        read_label_map(saved(tmp_path, image))


def test_a_conversion_as_the_message_says_gives_the_indices():
    colours = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0]], np.uint8)
    rgb = colours[LABELS % 3]
    assert np.array_equal((rgb[:, :, None] == colours).all(-1).argmax(-1), LABELS % 3)


def test_damaged_and_missing_files(tmp_path):
    path = tmp_path / 'labels.png'
    with pytest.raises(DataError, match='is not there'):
        read_label_map(path)
    path.write_bytes(b'no image')
    with pytest.raises(DataError, match='cannot be decoded'):
        read_label_map(path)
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match='cannot be decoded'):
        read_label_map(path)


def test_floating_point_values_are_no_labels(tmp_path):
    path = tmp_path / 'labels.tif'
    Image.fromarray(np.zeros((4, 4), np.float32)).save(path)
    with pytest.raises(DataError, match='float32'):
        read_label_map(path)


def test_labels_that_are_no_class_are_named_with_their_share():
    check_labels(LABELS, 3, 'a.png')
    with pytest.raises(
        DataError, match=r'a.png has the label 2 \(33.3% of its pixels\).*2 classes, 0 to 1'
    ):
        check_labels(LABELS, 2, 'a.png')
    with pytest.raises(DataError, match=r'1 \(33.3%.*2 \(33.3%.*255 \(16.7%'):
        check_labels(LABELS, 1, 'a.png', void=254)
