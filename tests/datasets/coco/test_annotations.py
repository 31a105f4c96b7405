"""Reading, checking and cleaning COCO annotation files."""

import json
import re
import subprocess
import sys
import unicodedata

import numpy as np
import pytest

from rexdense.datasets.coco import cleaning
from rexdense.datasets.coco.annotations import BOXES_ALONE, read_annotations
from rexdense.datasets.coco.masks import encode_mask
from rexdense.errors import DataError
from tests.shared_files import SHARED, needs_shared
from tests.small_coco import CONTENT, HEIGHT, WIDTH, coco_content, write_coco


def message_of(path, *arguments, **options):
    with pytest.raises(DataError) as caught:
        read_annotations(path, *arguments, **options)
    message = str(caught.value)
    assert '\n' not in message
    return message


def spoilt(change):
    content = coco_content()
    change(content)
    return content


def test_a_good_file_stays_as_it_is(tmp_path):
    annotations = read_annotations(write_coco(tmp_path), tmp_path / 'images')
    assert annotations.dataset == CONTENT
    assert annotations.classes == annotations.file_classes == ('cat', 'dog')
    assert annotations.category_ids == {'cat': 1, 'dog': 2}
    assert annotations.labels == {1: 0, 2: 1}
    assert annotations.boxes_per_class == {'cat': 2, 'dog': 2}
    assert annotations.images_without_boxes == 1
    assert (annotations.dropped, annotations.clipped) == ({}, 0)


def test_file_that_is_not_there_with_others_beside_it(tmp_path):
    write_coco(tmp_path)
    path = tmp_path / 'annotations' / 'training.json'
    assert message_of(path) == (
        f'annotation file {path} is not there; its folder has train.json; '
        'give the path of a COCO annotation file'
    )


def test_file_in_a_folder_that_is_not_there(tmp_path):
    path = tmp_path / 'labels' / 'train.json'
    assert f'{path} is not there, nor is its folder {path.parent};' in message_of(path)


def test_folder_in_place_of_a_file(tmp_path):
    assert message_of(tmp_path) == (
        f'annotation file {tmp_path} is a folder; give the path of a JSON file'
    )


@pytest.mark.parametrize('length', [10, 400, -1])
def test_cut_off_json(tmp_path, length):
    path = write_coco(tmp_path, json.dumps(CONTENT, indent=1)[:length])
    lines = path.read_text().splitlines()
    message = message_of(path)
    place = re.search(r'is cut off at line (\d+), column (\d+) \(', message)
    assert place, message
    assert int(place[1]) in (len(lines), len(lines) + 1)


def test_invalid_json(tmp_path):
    path = write_coco(tmp_path, '{"images": [],\n "annotations" []}')
    assert f'{path} is not valid JSON at line 2, column 16 (Expecting' in message_of(path)


@pytest.mark.parametrize('text', ['[' * 200_000, '{"images": [' + '9' * 5000 + ']}'])
def test_json_beyond_what_python_reads(tmp_path, text):
    path = write_coco(tmp_path, text)
    assert f'{path} is not valid JSON (' in message_of(path)


@pytest.mark.parametrize('number', [10**400, -(10**400), '1e999', 'nan', float('inf')])
def test_numbers_beyond_what_a_float_holds_are_none(tmp_path, number):
    content = coco_content()
    content['annotations'][0]['bbox'][0] = number
    content['annotations'][1]['area'] = number
    content['annotations'][2]['segmentation'] = [[number] * 6]
    read = read_annotations(write_coco(tmp_path, content))
    assert read.dropped == {'box is not four numbers': 1}
    assert [entry['area'] for entry in read.dataset['annotations']] == [320, 600, 576]
    content['images'][0]['width'] = number
    assert 'has width' in message_of(write_coco(tmp_path / 'other', json.dumps(content)))


@pytest.mark.parametrize(('kind', 'key'), [('images', 'file_name'), ('categories', 'name')])
def test_names_with_half_of_a_character(tmp_path, kind, key):
    content = coco_content()
    content[kind][1][key] = 'a\ud800'
    message = message_of(write_coco(tmp_path, json.dumps(content)))
    assert f"{key} 'a\\ud800' among its {kind} is no text" in message


def test_file_that_is_no_text(tmp_path):
    path = write_coco(tmp_path)
    path.write_bytes(b'\x89PNG\r\n\x1a\n')
    assert f'annotation file {path} is not UTF-8 text;' in message_of(path)


def test_byte_order_mark_is_no_fault(tmp_path):
    path = write_coco(tmp_path)
    path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes())
    assert read_annotations(path).classes == ('cat', 'dog')


@pytest.mark.parametrize(
    ('content', 'expected'),
    [
        ([CONTENT], 'is not COCO: its JSON is a list; a COCO annotation file is an object'),
        (
            {'shapes': [], 'version': 1},
            "is not COCO: it lacks the list 'images' and 'annotations' and 'categories' "
            "(found 'shapes', 'version');",
        ),
        ({**CONTENT, 'annotations': {}}, "lacks the list 'annotations' (found 'images',"),
        ({**CONTENT, 'images': []}, 'its list of images is empty'),
        ({**CONTENT, 'categories': []}, 'its list of categories is empty'),
        ({**CONTENT, 'annotations': []}, 'its list of annotations is empty'),
        ({**CONTENT, 'annotations': [1]}, '1 of its 1 annotations are no objects, the first at'),
        (
            spoilt(lambda content: [content['images'][place].pop('width') for place in (1, 2)]),
            "2 of its 3 images have no 'width', the first at place 1; "
            'each needs id, file_name, width, height',
        ),
        (
            spoilt(lambda content: content['categories'][1].pop('name')),
            "1 of its 2 categories have no 'name', the first at place 1",
        ),
        (
            spoilt(lambda content: content['annotations'][3].pop('image_id')),
            "1 of its 4 annotations have no 'image_id', the first at place 3",
        ),
        (
            spoilt(lambda content: content['images'][2].update(id=1)),
            'image id 1 occurs more than once; ids and names are unique in COCO: '
            'number its images anew',
        ),
        (
            spoilt(lambda content: content['images'][2].update(id='1')),
            'image id 1 occurs more than once',
        ),
        (
            spoilt(lambda content: [entry.update(id=8) for entry in content['annotations']]),
            'annotation id 8 occurs more than once',
        ),
        (
            spoilt(lambda content: content['categories'][1].update(id=1.0)),
            'category id 1 occurs more than once',
        ),
        (
            spoilt(lambda content: content['categories'][1].update(name='cat')),
            'category name cat occurs more than once',
        ),
        (
            spoilt(lambda content: content['categories'][1].update(id=[1])),
            'the id [1] among its categories is neither a whole number nor a string',
        ),
        (
            spoilt(lambda content: content['images'][0].update(height=0)),
            "image '1.png' has height 0; give the number of pixels",
        ),
        (
            spoilt(lambda content: content['images'][0].update(width='48 px')),
            "image '1.png' has width '48 px'; give",
        ),
        (
            spoilt(lambda content: content['images'][0].update(file_name=7)),
            'image 1 has file_name 7; give a path',
        ),
    ],
)
def test_other_forms_than_coco_are_refused(tmp_path, content, expected):
    path = tmp_path / 'train.json'
    path.write_text(json.dumps(content))
    message = message_of(path)
    assert message.startswith(str(path))
    assert expected in message


def test_boxes_that_cannot_be_used_are_counted_by_reason(tmp_path):
    content = coco_content()
    boxes = {
        'zero-size box': [[3, 3, 0, 5], [3, 3, 5, 0]],
        'negative box size': [[20, 20, -5, 5], [20, 20, 5, -5], [20, 20, 0, -5]],
        'box outside the image': [
            [-10, 3, 10, 5],
            [3, -6, 5, 5],
            [WIDTH, 3, 5, 5],
            [3, HEIGHT + 2, 5, 5],
        ],
        'box below one pixel': [[3, 3, 0.9, 5], [WIDTH - 0.6, 3, 7, 7]],
        'box is not four numbers': [[1, 2, 3], None, [1, 2, 3, 'x'], [1, 2, float('nan'), 4], 5],
    }
    for reason in boxes.values():
        for box in reason:
            number = len(content['annotations']) + 1
            content['annotations'].append(
                {'id': number, 'image_id': 3, 'category_id': 1, 'bbox': box}
            )
    content['annotations'] += [
        {'id': 90, 'image_id': 4, 'category_id': 1, 'bbox': [1, 1, 5, 5]},
        {'id': 91, 'image_id': 3, 'category_id': 3, 'bbox': [1, 1, 5, 5]},
        {'id': 92, 'image_id': 3, 'category_id': 0, 'bbox': [1, 1, 5, 5]},
    ]
    annotations = read_annotations(write_coco(tmp_path, content))
    assert annotations.dataset == CONTENT
    assert annotations.dropped == {
        **{reason: len(found) for reason, found in boxes.items()},
        'of an unknown image': 1,
        'of an unknown category': 2,
    }


@pytest.mark.parametrize(
    ('box', 'expected', 'clipped'),
    [
        ([0, 0, WIDTH, HEIGHT], [0, 0, WIDTH, HEIGHT], 0),
        ([-0.5, 0, 10, HEIGHT + 0.5], [-0.5, 0, 10, HEIGHT + 0.5], 0),
        ([-1, 2, 10, 10], [0, 2, 9, 10], 1),
        ([2, -4, 10, 10], [2, 0, 10, 6], 1),
        ([40, 30, 10, 10], [40, 30, 8, 2], 1),
        ([-3, -3, 100, 100], [0, 0, WIDTH, HEIGHT], 1),
    ],
)
def test_boxes_are_clipped_to_the_image(tmp_path, box, expected, clipped):
    content = coco_content()
    content['annotations'][0].update(bbox=box, area=7)
    annotations = read_annotations(write_coco(tmp_path, content))
    assert annotations.dataset['annotations'][0]['bbox'] == expected
    assert annotations.dataset['annotations'][0]['area'] == 7
    assert annotations.clipped == clipped
    assert annotations.dropped == {}


def test_missing_area_and_crowd_are_filled_in(tmp_path):
    content = coco_content()
    for entry in content['annotations']:
        del entry['area'], entry['iscrowd']
    content['annotations'][0].update(bbox=[-2, 3, 22, 10], area=0, iscrowd=None)
    content['annotations'][1].update(iscrowd=True)
    entries = read_annotations(write_coco(tmp_path, content)).dataset['annotations']
    assert [entry['area'] for entry in entries] == [200, 320, 600, 576]
    assert [entry['iscrowd'] for entry in entries] == [0, 1, 0, 0]


@pytest.mark.parametrize(
    ('segmentation', 'expected'),
    [
        ([[1, 1, 9, 1, 9, 9]], [[1, 1, 9, 1, 9, 9]]),
        ([1, 1, 9, 1, 9, 9], [[1, 1, 9, 1, 9, 9]]),
        ([[1, 1, 9, 9], [1, 1, 9, 1, 9, 9], [1, 1, 9, 1, 9, 9, 2]], [[1, 1, 9, 1, 9, 9]]),
        (
            {'size': [HEIGHT, WIDTH], 'counts': [9, 4, HEIGHT * WIDTH - 13]},
            {'size': [HEIGHT, WIDTH], 'counts': [9, 4, HEIGHT * WIDTH - 13]},
        ),
        ({'size': [WIDTH, HEIGHT], 'counts': '94'}, cleaning.RUNS_OF_OTHER_SIZE),
        ({'size': [HEIGHT, WIDTH], 'counts': ''}, cleaning.DAMAGED_RUNS),
        ({'size': [HEIGHT, WIDTH], 'counts': [9, 4]}, cleaning.DAMAGED_RUNS),
        ({'size': [HEIGHT, WIDTH], 'counts': [9, -4, HEIGHT * WIDTH - 5]}, cleaning.DAMAGED_RUNS),
        ([[1, 1, 9, 9]], cleaning.FEW_POINTS),
        ([[1, 1, 9, 1, 9, 9, 2]], cleaning.ODD_COORDINATES),
        ([[1, 1, 'a', 1, 9, 9]], cleaning.OTHER_MASK),
        ([], cleaning.NO_MASK),
        (None, cleaning.NO_MASK),
        ('mask', cleaning.OTHER_MASK),
    ],
)
def test_masks(tmp_path, segmentation, expected):
    content = coco_content()
    for entry in content['annotations']:
        entry.update(bbox=[0, 0, 9, 20], segmentation=[[1, 1, 9, 1, 9, 9]])
    content['annotations'][0]['segmentation'] = segmentation
    path = write_coco(tmp_path, content)
    usable = not isinstance(expected, str)
    first = read_annotations(path).dataset['annotations'][0]
    assert first.get('segmentation') == (expected if usable else None)
    needed = read_annotations(path, need_masks=True)
    assert needed.dropped == ({} if usable else {expected: 1})
    assert len(needed.dataset['annotations']) == (4 if usable else 3)


@pytest.mark.parametrize(
    ('segmentation', 'fault'),
    [
        ({'size': [HEIGHT, WIDTH], 'counts': '94'}, cleaning.DAMAGED_RUNS),
        ({'size': [HEIGHT, WIDTH], 'counts': [HEIGHT * WIDTH]}, cleaning.EMPTY_MASK),
        ([[4, 4, 4.2, 4, 4.2, 9]], cleaning.EMPTY_MASK),
        ([[30, 1, 40, 1, 40, 9]], cleaning.MASK_OUTSIDE_BOX),
        ([[-30, 1, -20, 1, -20, 9]], cleaning.MASK_OUTSIDE_BOX),
        ([[1, 1, 9, 1, 9, 4]], None),
        ([[1, 1, 9, 1, 9, 9]], None),
    ],
)
def test_pixels_of_masks_where_masks_are_needed(tmp_path, segmentation, fault):
    content = coco_content()
    for entry in content['annotations']:
        entry.update(bbox=[1, 1, 8, 8], segmentation=[[1, 1, 9, 1, 9, 9]])
    content['annotations'][2]['segmentation'] = segmentation
    path = write_coco(tmp_path, content)
    assert read_annotations(path).dropped == {}
    needed = read_annotations(path, need_masks=True)
    assert needed.dropped == ({fault: 1} if fault else {})
    half = segmentation == [[1, 1, 9, 1, 9, 4]]
    assert needed.masks_unlike_boxes == ([3] if half else [])


def test_no_masks_where_masks_are_needed(tmp_path):
    assert message_of(write_coco(tmp_path), need_masks=True).endswith(
        'none of its 4 annotations can be used (4 no mask); masks are needed here: add '
        f'segmentation, or train on boxes: {BOXES_ALONE}'
    )


@pytest.mark.parametrize(
    'ids', [(0, 1), (1, 2), (7, 90), (90, 7), ('1', '2'), ('a', 'b'), (1, '2'), (1.0, 2.0)]
)
@pytest.mark.parametrize('spelling', [lambda value: value, str])
def test_category_ids_of_every_kind(tmp_path, ids, spelling):
    content = coco_content()
    for category, value in zip(content['categories'], ids, strict=True):
        category['id'] = value
    for entry in content['annotations']:
        value = ids[entry['category_id'] - 1]
        entry['category_id'] = spelling(int(value) if isinstance(value, float) else value)
    annotations = read_annotations(write_coco(tmp_path, content))
    assert annotations.category_ids == {'cat': ids[0], 'dog': ids[1]}
    assert annotations.boxes_per_class == {'cat': 2, 'dog': 2}
    found = [
        annotations.labels[entry['category_id']] for entry in annotations.dataset['annotations']
    ]
    assert found == [0, 1, 0, 1]


def test_image_ids_as_strings(tmp_path):
    content = coco_content()
    for image in content['images']:
        image['id'] = f'{image["id"]:04d}'
    content['annotations'][0]['image_id'] = '0001'
    for entry in content['annotations'][1:]:
        entry['image_id'] = f'{entry["image_id"]:04d}'
    annotations = read_annotations(write_coco(tmp_path, content))
    assert annotations.dropped == {}
    assert [e['image_id'] for e in annotations.dataset['annotations']] == ['0001'] * 2 + [
        '0002'
    ] * 2


def test_classes_give_the_order_of_the_labels(tmp_path):
    annotations = read_annotations(write_coco(tmp_path), classes=['dog', 'cat'])
    assert annotations.classes == ('dog', 'cat')
    assert annotations.file_classes == ('cat', 'dog')
    assert annotations.labels == {2: 0, 1: 1}


def test_some_classes_of_the_file(tmp_path):
    annotations = read_annotations(write_coco(tmp_path), classes=['dog'])
    assert annotations.boxes_per_class == {'dog': 2}
    assert annotations.dropped == {'of a class not asked for': 2}
    assert annotations.dataset['categories'] == CONTENT['categories']
    assert len(annotations.dataset['images']) == 3


def test_class_that_the_file_does_not_have(tmp_path):
    path = write_coco(tmp_path)
    assert message_of(path, classes=['cat', 'doge']) == (
        f"{path} has no class 'doge', which was asked for; its classes are 'cat', 'dog'; "
        "did you mean 'dog'?"
    )
    lacking = read_annotations(path, classes=['doge', 'cat'], may_lack_classes=True)
    assert lacking.labels == {1: 1}
    assert lacking.boxes_per_class == {'doge': 0, 'cat': 2}


def test_none_of_the_classes_is_in_the_file(tmp_path):
    message = message_of(write_coco(tmp_path), classes=['car', 'bus'], may_lack_classes=True)
    assert (
        "has no class 'car', 'bus', which was asked for; its classes are 'cat', 'dog';" in message
    )


def test_no_annotation_of_the_classes(tmp_path):
    content = coco_content()
    content['categories'].append({'id': 3, 'name': 'cart'})
    path = write_coco(tmp_path, content)
    assert message_of(path, classes=['cart']) == (
        f"{path}: no annotation has a category among the classes 'cart'; its 4 annotations are of "
        "cat (2), dog (2); did you mean 'cat'?"
    )


def test_all_categories_are_unknown(tmp_path):
    content = coco_content()
    for entry in content['annotations']:
        entry['category_id'] += 10
    message = message_of(write_coco(tmp_path, content))
    assert 'its 4 annotations are of unknown id 11 (2), unknown id 12 (2);' in message


def test_boxes_as_fractions_of_the_image(tmp_path):
    content = coco_content()
    for entry in content['annotations']:
        entry['bbox'] = [0.1, 0.2, 0.3, 0.4]
    assert message_of(write_coco(tmp_path, content)).endswith(
        'none of its 4 annotations can be used (4 box below one pixel); boxes are in pixels, '
        'not in fractions of the image: scale them'
    )


def test_missing_images(tmp_path):
    content = coco_content()
    content['images'] += [
        {'id': number, 'file_name': f'more/{number}.png', 'width': 8, 'height': 8}
        for number in range(4, 9)
    ]
    path = write_coco(tmp_path, content)
    folder = tmp_path / 'images'
    for image in ('2.png', 'more/4.png', 'more/6.png', 'more/7.png'):
        (folder / image).unlink()
    assert message_of(path, folder) == (
        f'{path}: 4 of its 8 images are missing in {folder}: 2.png, more/4.png, more/6.png and '
        '1 more; put them there or take them out of the file'
    )


def test_images_in_folders_that_are_not_there(tmp_path):
    path = write_coco(tmp_path)
    content = spoilt(lambda content: content['images'][1].update(file_name='nowhere/2.png'))
    path.write_text(json.dumps(content))
    assert '1 of its 3 images are missing in' in message_of(path, tmp_path / 'images')
    assert message_of(path, tmp_path / 'pictures') == (
        f'image folder {tmp_path / "pictures"} is not there; give the folder of the images'
    )


def test_classes_given_as_one_string(tmp_path):
    assert "classes='cat' is one name; give a list" in message_of(
        write_coco(tmp_path), classes='cat'
    )


def test_images_to_predict_need_no_annotations(tmp_path):
    content = {key: CONTENT[key] for key in ('images', 'categories')}
    annotations = read_annotations(write_coco(tmp_path, content), need_boxes=False)
    assert annotations.images_without_boxes == 3
    assert "lacks the list 'annotations'" in message_of(tmp_path / 'annotations' / 'train.json')


def test_numbers_written_as_text(tmp_path):
    content = coco_content()
    content['annotations'][0]['segmentation'] = [[2, 3, 22, 3, 22, 13]]
    expected = read_annotations(write_coco(tmp_path, content)).dataset
    for image in content['images']:
        image.update(width=str(image['width']), height=f'{image["height"]}.0')
    for entry in content['annotations']:
        entry.update(
            bbox=[str(number) for number in entry['bbox']], area=str(entry['area']), iscrowd='0'
        )
    content['annotations'][0]['segmentation'] = [['2', '3', '22', '3.0', ' 22', '13']]
    path = tmp_path / 'annotations/train.json'
    path.write_text(json.dumps(content))
    annotations = read_annotations(path, tmp_path / 'images')
    assert annotations.dataset == expected
    assert annotations.crowds == 0


@pytest.mark.parametrize(
    ('stated', 'crowd'),
    [
        *[(value, 0) for value in (0, 0.0, '0', '0.0', ' 0 ', False, 'false', 'False', '', None)],
        *[(value, 1) for value in (1, 1.0, '1', '1.0', True, 'true', 'True')],
    ],
)
def test_crowds_are_counted_apart(tmp_path, stated, crowd):
    content = coco_content()
    content['annotations'][1]['iscrowd'] = stated
    annotations = read_annotations(write_coco(tmp_path, content))
    assert [e['iscrowd'] for e in annotations.dataset['annotations']] == [0, crowd, 0, 0]
    assert annotations.crowds == crowd
    assert annotations.boxes_per_class == {'cat': 2, 'dog': 2 - crowd}


@pytest.mark.parametrize('stated', [1, '1', True])
def test_crowds_alone_are_refused(tmp_path, stated):
    content = coco_content()
    for entry in content['annotations']:
        entry['iscrowd'] = stated
    path = write_coco(tmp_path, content)
    assert message_of(path) == (
        f'{path}: all of its 4 usable annotations have iscrowd 1, which marks groups of objects '
        'that are not learnt from; where they are single objects, rexdense prepare --no-crowds '
        '--out COPY sets iscrowd to 0'
    )
    assert read_annotations(path, need_boxes=False).crowds == 4


MASKS = {
    'one polygon': [[4, 6, 14.5, 6, 14.5, 20, 4, 20]],
    'two polygons': [[4, 6, 9, 6, 9, 10], [10, 12, 14.5, 12, 10, 20]],
    'polygon without its list': [4, 6, 14.5, 6, 4, 20],
}


@pytest.mark.parametrize('mask', MASKS)
@pytest.mark.parametrize('box', ['none', None, [], [0, 0, 0, 0], [1, 2], ['a'] * 4])
def test_a_missing_box_is_that_of_the_polygons(tmp_path, mask, box):
    content = coco_content()
    content['annotations'][0].update(segmentation=MASKS[mask], bbox=box)
    if box == 'none':
        del content['annotations'][0]['bbox']
    annotations = read_annotations(write_coco(tmp_path, content))
    assert annotations.dataset['annotations'][0]['bbox'] == [4, 6, 10.5, 14]
    assert (annotations.boxes_of_masks, annotations.dropped) == (1, {})


@pytest.mark.parametrize('as_text', [False, True])
@pytest.mark.parametrize('seed', range(6))
def test_a_missing_box_is_that_of_the_run_lengths(tmp_path, as_text, seed):
    mask_api = pytest.importorskip('pycocotools.mask')
    random = np.random.default_rng(seed)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8, order='F')
    top, left = random.integers(0, 20, 2)
    mask[top : top + 11, left : left + 17] = random.random((11, 17)) < 0.7
    if seed == 0:
        mask[:] = 1
    encoded = mask_api.encode(mask)
    expected = mask_api.toBbox(encoded).tolist()
    encoded['counts'] = encoded['counts'].decode()
    if not as_text:
        changes = np.flatnonzero(np.diff(mask.ravel('F'), prepend=0)).tolist()
        encoded['counts'] = np.diff([0, *changes, mask.size]).tolist()
    content = coco_content()
    content['annotations'][0].update(segmentation=encoded)
    del content['annotations'][0]['bbox']
    annotations = read_annotations(write_coco(tmp_path, content))
    assert annotations.dataset['annotations'][0]['bbox'] == expected


@pytest.mark.parametrize(
    ('counts', 'reason'),
    [
        ('0', cleaning.DAMAGED_RUNS),
        ('~', cleaning.DAMAGED_RUNS),
        ('zz', cleaning.DAMAGED_RUNS),
        ([WIDTH * HEIGHT], cleaning.EMPTY_MASK),
    ],
)
def test_run_lengths_that_give_no_box(tmp_path, counts, reason):
    content = coco_content()
    content['annotations'][0]['segmentation'] = dict(size=[HEIGHT, WIDTH], counts=counts)
    del content['annotations'][0]['bbox']
    annotations = read_annotations(write_coco(tmp_path, content))
    assert annotations.dropped == {reason: 1}


def test_a_category_that_only_heads_others_is_no_class(tmp_path):
    content = coco_content()
    for category in content['categories']:
        category['supercategory'] = 'pets'
    content['categories'].insert(0, {'id': 0, 'name': 'pets', 'supercategory': 'none'})
    path = write_coco(tmp_path, content)
    annotations = read_annotations(path)
    assert (annotations.classes, annotations.roots) == (('cat', 'dog'), ('pets',))
    # A class may bear the name of the project, and a run that knew the root as one goes on.
    assert read_annotations(path, classes=['pets', 'cat']).classes == ('pets', 'cat')
    content['categories'][2].update(name='pets')
    named = read_annotations(write_coco(tmp_path, content))
    assert (named.classes, named.labels) == (('cat', 'pets'), {1: 0, 2: 1})
    content['annotations'][0]['category_id'] = 0
    assert 'category name pets occurs more than once' in message_of(write_coco(tmp_path, content))


def test_a_class_of_its_own_super_category_stays(tmp_path):
    content = coco_content()
    content['categories'].append({'id': 3, 'name': 'person', 'supercategory': 'person'})
    assert read_annotations(write_coco(tmp_path, content)).classes == ('cat', 'dog', 'person')


SPELLINGS = {
    'decomposed on the disk': ('Übergröße é.png', unicodedata.normalize('NFD', 'Übergröße é.png')),
    'decomposed in the file': (unicodedata.normalize('NFD', 'Ärger.png'), 'Ärger.png'),
    'backslashes': ('a\\b\\1.png', 'a/b/1.png'),
    'backslashes on the disk': ('a\\1.png', 'a\\1.png'),
    'URL escapes': ('two%20words%C3%A9.png', 'two wordsé.png'),
    'leading ./': ('./1.png', '1.png'),
    'leading dot and backslash': ('.\\a\\1.png', 'a/1.png'),
    'leading slash': ('/a/1.png', 'a/1.png'),
    'capitals': ('IMG_1.JPG', 'img_1.jpg'),
    'capitals of folders': ('Scans/1.png', 'scans/1.PNG'),
    'outer spaces': (' 1.png ', '1.png'),
    'inner spaces': ('a b.png', 'a b.png'),
}


@pytest.mark.parametrize('spelling', SPELLINGS)
def test_images_are_found_however_they_are_spelt(tmp_path, spelling):
    stated, stored = SPELLINGS[spelling]
    content = coco_content()
    path = write_coco(tmp_path, content)
    place = tmp_path / 'images' / stored
    place.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / 'images/1.png').rename(place)
    content['images'][0]['file_name'] = stated
    path.write_text(json.dumps(content))
    annotations = read_annotations(path, tmp_path / 'images')
    found = tmp_path / 'images' / annotations.dataset['images'][0]['file_name']
    assert found.samefile(place)


def test_one_file_does_not_stand_for_two_images(tmp_path):
    content = coco_content()
    path = write_coco(tmp_path, content)
    (tmp_path / 'images/1.png').rename(tmp_path / 'images/a.png')
    (tmp_path / 'images/2.png').unlink()
    content['images'][0]['file_name'], content['images'][1]['file_name'] = 'a.png', 'A.png'
    path.write_text(json.dumps(content))
    assert '1 of its 3 images are missing' in message_of(path, tmp_path / 'images')
    for name in ('b.PNG', 'B.png'):
        (tmp_path / 'images' / name).write_bytes((tmp_path / 'images/a.png').read_bytes())
    content['images'][1]['file_name'] = 'b.png'
    path.write_text(json.dumps(content))
    assert '1 of its 3 images are missing' in message_of(path, tmp_path / 'images')


@needs_shared
@pytest.mark.parametrize(
    ('data', 'split', 'images', 'boxes'),
    [
        ('bccd', 'train', 205, {'RBC': 2381, 'WBC': 214, 'Platelets': 209}),
        ('bccd', 'val', 87, {'RBC': 967, 'WBC': 87, 'Platelets': 83}),
        ('nuclei', 'train', 120, {'nucleus': 3780}),
        ('nuclei', 'val', 30, {'nucleus': 920}),
    ],
)
def test_real_files(data, split, images, boxes):
    path = SHARED / 'data' / data / 'annotations' / f'{split}.json'
    annotations = read_annotations(
        path, SHARED / 'data' / data / 'images', need_masks=data == 'nuclei'
    )
    assert len(annotations.dataset['images']) == images
    assert annotations.boxes_per_class == boxes
    assert annotations.dataset == json.loads(path.read_text())
    assert (annotations.dropped, annotations.clipped) == ({}, 0)


def test_checking_a_file_needs_no_torch(tmp_path):
    program = (
        'import sys; from rexdense.datasets.coco.folder import CocoFolder; '
        'print(sorted({name.split(".")[0] for name in sys.modules} & '
        '{"torch", "mmengine", "mmcv", "mmdet", "cv2"}))'
    )
    answer = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert answer.stdout.strip() == '[]', answer.stderr


@pytest.mark.parametrize(
    ('area', 'box', 'kept'),
    [
        (0.02, [1, 2, 30, 20], 600),
        (5000, [1, 2, 30, 20], 600),
        (37, [1, 2, 30, 20], 37),
        (650.5, [1, 2, 30, 20], 650.5),
        # The object reaches far beyond the image.
        (5000, [-90, 2, 100, 20], 5000),
    ],
)
def test_an_area_that_cannot_be_is_the_box_s(tmp_path, area, box, kept):
    content = coco_content()
    content['annotations'][0].update(area=area, bbox=box)
    read = read_annotations(write_coco(tmp_path, content))
    assert read.dataset['annotations'][0]['area'] == kept


@pytest.mark.parametrize(
    ('segmentation', 'area'),
    [
        ([[2, 3, 12, 3, 2, 13]], 50),
        ([[2, 3, 12, 3, 2, 13], [4, 5, 4, 9, 8, 9, 8, 5]], 66),
        (dict(size=[HEIGHT, WIDTH], counts=[70, 9, WIDTH * HEIGHT - 79]), 9),
        (encode_mask(np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) < 3 * WIDTH), 3 * WIDTH),
        (dict(size=[HEIGHT, WIDTH], counts='b23U'), 600),
        (None, 600),
    ],
)
def test_an_area_that_is_missing_is_the_mask_s(tmp_path, segmentation, area):
    content = coco_content()
    first = content['annotations'][0]
    first.update(segmentation=segmentation, bbox=[1, 2, 30, 20])
    del first['area']
    read = read_annotations(write_coco(tmp_path, content))
    assert read.dataset['annotations'][0]['area'] == area


@pytest.mark.parametrize('far', [10**200, 1e300, -(10**9), '1e9'])
@pytest.mark.parametrize('need_masks', [False, True])
def test_polygons_that_reach_far_out_are_left_out(tmp_path, far, need_masks):
    """pycocotools, which would fill them, ends the process without a word."""
    content = coco_content()
    whole = [[0, 0, WIDTH, 0, WIDTH, HEIGHT]]
    for entry in content['annotations']:
        entry['segmentation'] = whole
    content['annotations'][0]['segmentation'] = [[0, 0, far, 0, far, far]]
    del content['annotations'][0]['area']
    read = read_annotations(write_coco(tmp_path, content), need_masks=need_masks)
    assert read.dropped == ({cleaning.FAR_POINTS: 1} if need_masks else {})
    masks = [entry.get('segmentation', whole) for entry in read.dataset['annotations']]
    assert masks == [whole] * len(masks)


def test_parts_of_pixels_are_no_run_lengths():
    runs = dict(size=[2, 5], counts=[0.5, 9.5])
    assert cleaning.clean_segmentation(runs, 5, 2) == cleaning.DAMAGED_RUNS


@pytest.mark.parametrize(('box', 'need_masks'), [(None, False), ([1, 2, 30, 20], True)])
def test_run_lengths_of_another_size_are_named(tmp_path, box, need_masks):
    content = coco_content()
    mask = dict(size=[WIDTH, HEIGHT], counts=[0, WIDTH * HEIGHT])
    content['annotations'][0].update(bbox=box, segmentation=mask)
    whole = dict(size=[HEIGHT, WIDTH], counts=[0, HEIGHT * WIDTH])
    for entry in content['annotations'][1:]:
        entry['segmentation'] = whole
    read = read_annotations(write_coco(tmp_path, content), need_masks=need_masks)
    assert read.dropped == {cleaning.RUNS_OF_OTHER_SIZE: 1}


def test_a_class_asked_for_twice(tmp_path):
    path = write_coco(tmp_path)
    assert message_of(path, classes=['cat', 'cat']) == (
        "classes names 'cat' twice: each class has one label"
    )
