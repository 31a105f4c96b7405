"""Objects drawn onto images."""

import numpy as np
import pytest

pytest.importorskip('mmcv')

import cv2
from PIL import Image

from rexdense.datasets.images.files import UnreadableImage
from rexdense.errors import InvalidArgument
from rexdense.visualization.boxes import SMALLEST_TEXT, Objects, draw_objects, palette
from rexdense.visualization.picture_files import (
    at_most,
    picture_name,
    read_picture,
    write_picture,
)
from rexdense.visualization.tiles import fitted, legible, text_size


def test_classes_have_different_colours():
    assert len({palette(index) for index in range(21)}) == 21


def test_boxes_lie_where_they_should():
    image = np.zeros((300, 300, 3), np.uint8)
    objects = Objects(np.array([[40.2, 60.0, 200.0, 220.7]]), np.array([1]), np.array([0.987]))
    drawn = draw_objects(image, objects, ['a', 'b'])
    assert not image.any()
    for y, x in ((221, 100), (150, 40), (150, 200)):
        assert tuple(drawn[y, x]) == palette(1)
    assert not drawn[70:215, 50:190].any() and not drawn[:, 210:].any()
    # The label stands above the box.
    label = drawn[40:59, 41:70].reshape(-1, 3)
    assert (label == palette(1)).all(axis=1).any() and not drawn[:40].any()


def test_labels_stay_inside_the_image():
    image = np.zeros((40, 60, 3), np.uint8)
    objects = Objects(np.array([[50.0, 0.0, 59.0, 20.0]]), np.array([0]))
    drawn = draw_objects(image, objects, ['long name', 'other'])
    assert drawn[:12].any(axis=(0, 2)).sum() > 40


def test_a_single_class_is_not_named(monkeypatch):
    written = []
    monkeypatch.setattr(
        'rexdense.visualization.boxes.write_text', lambda image, text, *_: written.append(text)
    )
    image, box = np.zeros((90, 90, 3), np.uint8), np.array([[20.0, 30.0, 60.0, 80.0]])
    draw_objects(image, Objects(box, np.array([0])), ['nucleus'])
    assert not written
    draw_objects(image, Objects(box, np.array([0]), np.array([0.987])), ['nucleus'])
    assert written == ['0.99']


def test_of_several_classes_on_one_object_the_best_stays():
    boxes = np.array(
        [[0, 0, 20, 20], [0, 0, 20, 19], [0, 0, 20, 12.4], [50, 50, 60, 60], [0, 1, 20, 20]], float
    )
    masks = np.zeros((5, 60, 60), bool)
    masks[np.arange(5), np.arange(5)] = True
    scores = np.array([0.5, 0.9, 0.3, 0.1, 0.4])
    # IoUs with the best: 0.95, 0.65, 0 and 0.9, the last of its own class.
    found = Objects(boxes, np.array([0, 1, 2, 0, 1]), scores, masks).one_per_object()
    assert found.scores.tolist() == [0.9, 0.1, 0.4] and found.labels.tolist() == [1, 0, 1]
    assert np.array_equal(found.boxes, boxes[[1, 3, 4]])
    assert np.array_equal(found.masks, masks[[1, 3, 4]])
    # What only a suppressed one overlaps stays.
    chain = np.array([[0, 0, 20, 20], [0, 0, 20, 14], [0, 0, 20, 9]], float)
    found = Objects(chain, np.array([0, 1, 2]), np.array([0.9, 0.8, 0.7])).one_per_object()
    assert found.scores.tolist() == [0.9, 0.7]
    nothing = Objects(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0)).one_per_object()
    assert nothing.boxes.shape == (0, 4)
    flat = Objects(np.zeros((2, 4)), np.array([0, 1]), np.array([0.2, 0.1])).one_per_object()
    assert len(flat.boxes) == 2


@pytest.mark.parametrize('number', [2, 12, 60])
def test_names_do_not_cover_one_another(number, monkeypatch):
    written = []
    monkeypatch.setattr(
        'rexdense.visualization.boxes.write_text',
        lambda image, text, left, baseline, *_: written.append((text, left, baseline)),
    )
    random = np.random.default_rng(number)
    corners = random.uniform(0, 260, (number, 2))
    boxes = np.hstack([corners, corners + random.uniform(10, 60, (number, 2))])
    scores = np.linspace(0.9, 0.1, number)
    image = np.zeros((300, 300, 3), np.uint8)
    draw_objects(image, Objects(boxes, np.arange(number) % 3, scores), ['a', 'bc', 'def'])
    assert written[0][0].endswith('0.90') and len(written) >= min(number, 12)
    places = []
    for text, left, baseline in written:
        width, height, _ = text_size(text, SMALLEST_TEXT)
        places.append((left, baseline - height, left + width, baseline))
    for index, (left, top, right, bottom) in enumerate(places):
        assert left >= 0 and top >= 0 and right <= 300 and bottom <= 300
        assert not any(
            left < other[2] and other[0] < right and top < other[3] and other[1] < bottom
            for other in places[:index]
        )


def test_names_have_the_ink_that_is_seen_best():
    """White on dark colours, black on bright ones, and lines that grow with the letters."""
    image = np.zeros((400, 400, 3), np.uint8)
    for label, ink in ((0, 0), (2, 0), (3, 0), (4, 255), (14, 255)):
        objects = Objects(np.array([[100.0, 200.0, 300.0, 300.0]]), np.array([label]))
        drawn = draw_objects(image, objects, ['HHHH'] * 15)[185:197, 102:130].reshape(-1, 3)
        strangest = drawn[np.abs(drawn.astype(int) - palette(label)).sum(1).argmax()]
        assert np.abs(strangest.astype(int) - ink).max() < 90, label


def test_masks_tint_their_pixels():
    image = np.full((20, 20, 3), 100, np.uint8)
    masks = np.zeros((1, 20, 20), bool)
    masks[0, 12:18, 12:18] = True
    objects = Objects(np.array([[12.0, 12.0, 17.0, 17.0]]), np.array([0]), masks=masks)
    expected = (np.array([100, 100, 100]) * 0.55 + np.array(palette(0)) * 0.45).astype(np.uint8)
    assert (draw_objects(image, objects, [''])[14, 14] == expected).all()


def test_masks_are_outlined():
    image = np.full((60, 60, 3), 100, np.uint8)
    masks = np.zeros((1, 60, 60), bool)
    masks[0, 22:48, 22:48] = True
    objects = Objects(np.array([[20.0, 20.0, 50.0, 50.0]]), np.array([0]), masks=masks)
    drawn = draw_objects(image, objects, [''])
    assert (drawn[22, 25:45] == palette(0)).all() and (drawn[30:40, 47] == palette(0)).all()
    assert (drawn[24:46, 24:46] != palette(0)).any(axis=2).all()


def test_names_cover_no_other_name():
    image = np.zeros((120, 300, 3), np.uint8)
    boxes = np.array([[100.0, 60.0, 110.0, 70.0]] * 6)
    names = ['long name', 'b']
    best = Objects(boxes[:1], np.array([0]), np.array([0.9]))
    alone = draw_objects(image, best, names)
    # The best comes last here, and is written as it would be alone.
    objects = Objects(boxes, np.array([1, 1, 1, 1, 1, 0]), np.linspace(0.4, 0.9, 6))
    drawn = draw_objects(image, objects, names)
    above = np.s_[44:60, 100:180]
    assert alone[above].any() and np.array_equal(drawn[above], alone[above])
    # One below; for more there is no room around boxes of ten pixels.
    assert (drawn[74:80, 101:130] == palette(1)).all(axis=2).any()
    assert not drawn[100:].any() and not drawn[:40].any()


def test_annotations_without_objects():
    for size in (None, (20, 30)):
        objects = Objects.annotated([], size)
        assert objects.boxes.shape == (0, 4) and objects.labels.shape == (0,)
        assert objects.resized((20, 30), (40, 60)).boxes.shape == (0, 4)


def test_annotated_masks_of_another_size():
    instances = [
        dict(bbox=[2, 1, 6, 4], bbox_label=0, mask=[[2, 1, 6, 1, 6, 4, 2, 4]]),
        dict(bbox=[0, 0, 1, 8], bbox_label=1, mask=dict(size=[8, 12], counts=[0, 8, 88])),
    ]
    objects = Objects.annotated(instances, (8, 12))
    assert objects.masks[0, 1:4, 2:6].all() and objects.masks[0].sum() == 12
    assert objects.masks[1, :, 0].all() and objects.masks[1].sum() == 8
    larger = objects.resized((8, 12), (16, 24))
    assert larger.boxes.tolist() == [[4, 2, 12, 8], [0, 0, 2, 16]]
    assert larger.masks.shape == (2, 16, 24)
    assert larger.masks[0, 3:7, 5:11].all() and abs(larger.masks[0].sum() - 48) <= 4
    del instances[1]['mask']
    assert Objects.annotated(instances, (8, 12)).masks is None


@pytest.mark.parametrize(
    ('name', 'expected'),
    [('a/b.JPG', 'b.JPG'), ('b.png', 'b.png'), ('b.gif', 'b.gif.png'), ('b', 'b.png')],
)
def test_name_of_a_picture(name, expected):
    assert picture_name(name) == expected


def test_pictures_of_images_that_use_a_part_of_their_16_bits(tmp_path, capsys):
    grey = np.array([[0, 100], [1000, 3000]], np.uint16)
    cv2.imwrite(str(tmp_path / 'a.png'), grey)
    shown = read_picture(tmp_path / 'a.png')
    assert shown[..., 0].tolist() == [[0, 6], [62, 187]]
    assert 'bit_depth' not in capsys.readouterr().out


def test_pictures_are_turned_as_the_annotation_says(tmp_path):
    stored = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(4, 6, 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(stored).save(tmp_path / 'turned.png', exif=exif)
    upright = np.rot90(stored, -1)
    assert np.array_equal(read_picture(tmp_path / 'turned.png'), upright)
    assert np.array_equal(read_picture(tmp_path / 'turned.png', (6, 4)), upright)
    assert np.array_equal(read_picture(tmp_path / 'turned.png', (4, 6)), stored)


def test_writing_and_reading(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    path = write_picture(tmp_path / 'new/picture.png', image)
    assert np.array_equal(read_picture(path), image)
    assert np.array_equal(cv2.imread(str(path))[..., ::-1], image)
    assert [entry.name for entry in path.parent.iterdir()] == ['picture.png']


def test_places_that_cannot_be_written(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InvalidArgument, match=r'/file/a\.png cannot be written \(Not a direct'):
        write_picture(tmp_path / 'file/a.png', np.zeros((2, 2, 3), np.uint8))


def test_files_that_are_no_images(tmp_path):
    (tmp_path / 'a.png').write_text('no image')
    with pytest.raises(UnreadableImage, match=r'a\.png cannot be decoded'):
        read_picture(tmp_path / 'a.png')


@pytest.mark.parametrize('size', [(2, 3000), (3000, 2), (1, 1), (1, 640), (20, 300)])
def test_thin_images_become_no_giant_tiles(size):
    image = np.zeros((*size, 3), np.uint8)
    for height in (240, 300, legible(image)):
        tile = fitted(image, height)
        assert min(tile.shape[:2]) > 0 and tile.nbytes < 10_000_000
        assert fitted(image[..., 0], height, keep_values=True).shape == tile.shape[:2]


@pytest.mark.parametrize(
    ('name', 'size'), [('a.webp', (3, 20_000)), ('a.jpg', (70_000, 2)), ('a.png', (2, 120_000))]
)
def test_pictures_beyond_what_a_format_holds(tmp_path, name, size):
    path = write_picture(tmp_path / name, np.zeros((*size, 3), np.uint8))
    assert 10_000 < max(cv2.imread(str(path)).shape) < max(size)


def test_a_format_that_cannot_be_written(tmp_path):
    with pytest.raises(InvalidArgument, match=r'a\.gif: a picture ends in one of \.jpg'):
        write_picture(tmp_path / 'a.gif', np.zeros((2, 2, 3), np.uint8))


def test_a_longer_picture_is_made_smaller():
    assert at_most(np.zeros((100, 3200, 3), np.uint8), 1600).shape == (50, 1600, 3)
    assert at_most(np.zeros((1, 20000, 3), np.uint8), 1600).shape == (1, 1600, 3)
    assert at_most(np.zeros((100, 200, 3), np.uint8), 1600).shape == (100, 200, 3)
