"""labelme's shapes become COCO annotations, or are named."""

import math

import numpy as np
import pytest

from rexdense.datasets.coco.masks import decode_mask
from rexdense.datasets.formats.labelme import CIRCLE_POINTS, is_labelme, read_labelme
from rexdense.errors import DataError
from tests.small_coco import HEIGHT, WIDTH
from tests.small_formats import labelme_shape, png_text, write_image, write_labelme

TRIANGLE = [[1, 2], [11, 2], [11, 12]]


def read_one(root):
    (read,) = read_labelme(root).values()
    return read


def test_shapes(tmp_path):
    mask = np.zeros((4, 6), bool)
    mask[1:3, 2:5] = True
    shapes = [
        labelme_shape('polygon', TRIANGLE),
        labelme_shape('rectangle', [[12, 9], [2, 3]], 'dog'),
        labelme_shape('circle', [[20, 16], [23, 20]]),
        labelme_shape('mask', [[10, 20], [15, 23]], mask=png_text(mask)),
    ]
    read = read_one(write_labelme(tmp_path, shapes))
    assert read.faults == [] and is_labelme(tmp_path)
    assert read.content['images'] == [dict(id=1, file_name='1.png', width=WIDTH, height=HEIGHT)]
    by_class = {entry['id']: entry['name'] for entry in read.content['categories']}
    assert by_class == {1: 'cat', 2: 'dog'}
    polygon, rectangle, circle, masked = read.content['annotations']
    assert polygon['segmentation'] == [[1, 2, 11, 2, 11, 12]]
    assert (polygon['bbox'], polygon['area']) == ([1, 2, 10, 10], 50)
    assert 'segmentation' not in rectangle
    assert (rectangle['bbox'], rectangle['category_id']) == ([2, 3, 10, 6], 2)
    assert rectangle['area'] == 60
    (outline,) = circle['segmentation']
    assert len(outline) == 2 * CIRCLE_POINTS
    for x, y in zip(outline[::2], outline[1::2], strict=True):
        assert math.dist((x, y), (20, 16)) == pytest.approx(5)
    assert (masked['bbox'], masked['area']) == ([12, 21, 3, 2], 6)
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[21:23, 12:15] = True
    assert np.array_equal(decode_mask(masked['segmentation'], HEIGHT, WIDTH), expected)


def test_rectangles_of_four_corners(tmp_path):
    corners = [[2, 3], [12, 3], [12, 9], [2, 9]]
    read = read_one(write_labelme(tmp_path, [labelme_shape('rectangle', corners)]))
    (rectangle,) = read.content['annotations']
    assert read.faults == [] and rectangle['bbox'] == [2, 3, 10, 6]
    assert 'segmentation' not in rectangle


@pytest.mark.parametrize('kind', ['oriented_rectangle', 'rotation'])
def test_rectangles_that_are_turned(tmp_path, kind):
    corners = [[10, 2], [18, 8], [12, 16], [4, 10]]
    read = read_one(write_labelme(tmp_path, [labelme_shape(kind, corners, direction=0.64)]))
    (turned,) = read.content['annotations']
    assert read.faults == [] and turned['bbox'] == [4, 2, 14, 14]
    assert turned['segmentation'] == [[10, 2, 18, 8, 12, 16, 4, 10]]


def test_shapes_of_a_group_are_one_object(tmp_path):
    other = [[20, 20], [30, 20], [30, 28]]
    shapes = [
        labelme_shape('polygon', TRIANGLE, group_id=1),
        labelme_shape('polygon', other, group_id=1),
        labelme_shape('polygon', other, 'dog', group_id=1),
    ]
    cat, dog = read_one(write_labelme(tmp_path, shapes)).content['annotations']
    assert len(cat['segmentation']) == 2 and cat['bbox'] == [1, 2, 29, 26]
    assert len(dog['segmentation']) == 1


def test_masks_and_polygons_of_a_group_are_one_object(tmp_path):
    mask = png_text(np.ones((3, 3), bool))
    square = [[20, 20], [24, 20], [24, 24], [20, 24]]
    shapes = [
        labelme_shape('mask', [[1, 2], [3, 4]], mask=mask, group_id=1),
        labelme_shape('mask', [[3, 2], [5, 4]], mask=mask, group_id=1),
        labelme_shape('mask', [[1, 2], [3, 4]], mask=mask),
        labelme_shape('polygon', square, group_id=1),
    ]
    group, single = read_one(write_labelme(tmp_path, shapes)).content['annotations']
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[2:5, 1:6] = expected[20:24, 20:24] = True
    assert np.array_equal(decode_mask(group['segmentation'], HEIGHT, WIDTH), expected)
    assert (group['bbox'], group['area']) == ([1, 2, 23, 22], 31)
    assert (single['bbox'], single['area']) == ([1, 2, 3, 3], 9)


def test_images_that_differ_in_their_ending_alone(tmp_path):
    write_labelme(tmp_path, [labelme_shape('polygon', TRIANGLE)])
    write_image(tmp_path / '1.jpg')
    assert read_one(tmp_path).content['images'][0]['file_name'] == '1.png'
    write_labelme(tmp_path, [labelme_shape('polygon', TRIANGLE)], imagePath='other.png')
    (fault,) = read_one(tmp_path).faults
    assert fault.startswith('1.json: 1.jpg and 1.png differ in nothing but the ending')


def test_two_folders_for_a_split(tmp_path):
    for split in ('val', 'valid'):
        write_labelme(tmp_path / split, [labelme_shape('polygon', TRIANGLE)])
    with pytest.raises(DataError, match='both hold val: take one away or join them'):
        read_labelme(tmp_path)


@pytest.mark.parametrize(
    ('shape', 'expected'),
    [
        (labelme_shape('polygon', TRIANGLE[:2]), 'a polygon of 2 points; it takes 3'),
        (labelme_shape('rectangle', TRIANGLE), 'a rectangle of 3 points; it takes 2 or 4'),
        (labelme_shape('point', TRIANGLE[:1]), 'a point has no area; draw a polygon'),
        (labelme_shape('linestrip', TRIANGLE), 'a linestrip has no area'),
        (labelme_shape('ellipse3d', TRIANGLE), "its shape_type 'ellipse3d' is not known; known"),
        (labelme_shape('polygon', TRIANGLE, ''), "its label is ''"),
        (labelme_shape('polygon', [[1, 2], [3], [4, 5]]), r'its point \[3\] is not two numbers'),
        (labelme_shape('polygon', [[1, 2], [math.nan, 4], [4, 5]]), 'is not two numbers'),
        (labelme_shape('polygon', None), 'it has no list of points'),
        (labelme_shape('mask', TRIANGLE[:2], mask='???'), 'its mask is no PNG as text'),
        (labelme_shape('mask', TRIANGLE[:2]), 'its mask is no PNG as text'),
        (labelme_shape(['x'], TRIANGLE), 'is not known'),
        (7, 'it is no object'),
    ],
)
def test_shapes_that_cannot_be_used(tmp_path, shape, expected):
    read = read_one(write_labelme(tmp_path, [shape, labelme_shape('polygon', TRIANGLE)]))
    (fault,) = read.faults
    assert fault.startswith('1.json shape 1: ')
    with pytest.raises(DataError, match=expected):
        read.whole(tmp_path)
    assert len(read.content['annotations']) == 1


def test_files_that_cannot_be_used(tmp_path):
    write_labelme(tmp_path, [labelme_shape('polygon', TRIANGLE)])
    (tmp_path / '2.json').write_text('{"shapes": [')
    (tmp_path / '3.json').write_text('{"images": []}')
    (tmp_path / '4.json').write_text('{"shapes": [], "imagePath": "/etc/passwd"}')
    write_labelme(tmp_path, [], '5', imageWidth=WIDTH + 1)
    faults = read_one(tmp_path).faults
    assert len(faults) == 4
    assert '2.json is torn or no JSON' in faults[0]
    assert faults[1] == '3.json: it has no list of shapes, as files of labelme have'
    assert faults[2].startswith("4.json: its image '/etc/passwd' is not in ")
    assert faults[3].startswith('5.json: it annotates an image of 49 x 32 pixels')


def test_splits_and_images_elsewhere(tmp_path):
    for split in ('train', 'val'):
        write_labelme(tmp_path / split, [labelme_shape('polygon', TRIANGLE)])
    assert list(read_labelme(tmp_path)) == ['train', 'val']
    root = write_labelme(tmp_path / 'other/json', [labelme_shape('polygon', TRIANGLE)], '7').parent
    (root / 'json/7.png').unlink()
    write_image(root / 'pictures/7.png')
    assert read_one(root).content['images'][0]['file_name'] == 'pictures/7.png'
