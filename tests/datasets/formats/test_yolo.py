"""YOLO's rows become COCO annotations, or are named."""

import json
import os
import shutil

import pytest

from rexdense.datasets.formats.split_folders import UNDIVIDED
from rexdense.datasets.formats.yolo import read_yolo
from rexdense.datasets.inspection.sources import recognised
from rexdense.errors import DataError
from tests.small_coco import CONTENT, HEIGHT, WIDTH
from tests.small_formats import STEMS, boxes_of, write_image, write_yolo, yolo_row

LAYOUTS = {
    'Roboflow': ('{}/images', '{}/labels'),
    'Ultralytics': ('images/{}', 'labels/{}'),
    'CVAT': ('obj_{}_data', 'obj_{}_data'),
    'Darknet': ('{}', '{}'),
}


@pytest.mark.parametrize('layout', LAYOUTS)
def test_layouts(tmp_path, layout):
    found = read_yolo(write_yolo(tmp_path, *LAYOUTS[layout]))
    assert list(found) == ['train', 'val']
    for read in found.values():
        assert read.faults == []
        assert read.content['images'] == CONTENT['images']
        assert read.content['categories'] == CONTENT['categories']
        for entry, expected in zip(
            read.content['annotations'], CONTENT['annotations'], strict=True
        ):
            assert entry['bbox'] == pytest.approx(expected['bbox'], abs=1e-9)
            assert entry['image_id'] == expected['image_id']
            assert entry['category_id'] == expected['category_id']


def write_undivided(root, folders=('', '', '')):
    """Write the three images and their rows, each in its subfolder of ``images`` and ``labels``."""
    for stem, folder in zip(STEMS, folders, strict=True):
        write_image(root / 'images' / folder / f'{stem}.png', int(stem))
        path = root / 'labels' / folder / f'{stem}.txt'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('\n'.join(yolo_row(*each) for each in boxes_of(stem)))
    (root / 'classes.txt').write_text('cat\ndog\n')
    return root


def images_of(splits):
    return {
        split: [image['file_name'] for image in read.content['images']]
        for split, read in splits.items()
    }


@pytest.mark.parametrize(
    'text',
    [
        'train: train.txt\nval: lists/v.txt',
        'path: /data/set\ntrain: ./train.txt\nval: [lists/v.txt]',
        'path: C:\\set\ntrain: C:\\set\\train.txt\nval: ..\\set\\lists\\v.txt',
    ],
)
def test_splits_of_lists_in_the_yaml_file(tmp_path, text):
    root = write_undivided(tmp_path)
    (root / 'data.yaml').write_text(f'{text}\nnames: [cat, dog]\n')
    (root / 'lists').mkdir()
    (root / 'train.txt').write_text('./images/2.png\nC:\\set\\images\\1.png\n')
    (root / 'lists/v.txt').write_text('/data/set/images/3.png\n\nimages/other.png\n')
    found = read_yolo(root)
    assert images_of(found) == {'train': ['1.png', '2.png'], 'val': ['3.png']}
    assert len(found['train'].content['annotations']) == 4 and not found['train'].faults


def test_splits_of_folders_in_the_yaml_file(tmp_path):
    root = write_undivided(tmp_path, ('a', 'b/1', 'c'))
    content = 'train:\n- images/a\n- images/b\nval: ../images/c\nnames: [cat, dog]\n'
    (root / 'data.yaml').write_text(content)
    assert images_of(read_yolo(root)) == {'train': ['a/1.png', 'b/1/2.png'], 'val': ['c/3.png']}


def test_splits_of_lists_alone(tmp_path):
    """As Darknet and CVAT have them; one list is no division, and neither is the same one twice."""
    root = write_undivided(tmp_path)
    everything = ['1.png', '2.png', '3.png']
    (root / 'train.txt').write_text(''.join(f'data/images/{name}\n' for name in everything[:2]))
    assert images_of(read_yolo(root)) == {UNDIVIDED: everything}
    (root / 'valid.txt').write_text('data/images/3.png\n')
    assert images_of(read_yolo(root)) == {'train': everything[:2], 'val': everything[2:]}
    (root / 'data.yaml').write_text('train: images\nval: images\nnames: [cat, dog]\n')
    assert images_of(read_yolo(root)) == {UNDIVIDED: everything}


@pytest.mark.parametrize('layout', ['Roboflow', 'Ultralytics'])
def test_folders_in_upper_case(tmp_path, layout):
    images, labels = (place.replace('images', 'Images') for place in LAYOUTS[layout])
    root = write_yolo(tmp_path, images, labels.replace('labels', 'LABELS'))
    assert recognised(root) == 'yolo'
    assert read_yolo(root)['val'].content['images'] == CONTENT['images']


def test_label_studio_s_layout_and_a_polygon(tmp_path):
    write_image(tmp_path / 'images/a.png')
    (tmp_path / 'labels').mkdir()
    (tmp_path / 'labels/a.txt').write_text('1 0 0 0.5 0 0.5 0.25\n')
    (tmp_path / 'classes.txt').write_text('cat\nred dog\n')
    (read,) = read_yolo(tmp_path).values()
    (entry,) = read.content['annotations']
    assert entry['segmentation'] == [[0, 0, WIDTH / 2, 0, WIDTH / 2, HEIGHT / 4]]
    assert entry['bbox'] == [0, 0, WIDTH / 2, HEIGHT / 4]
    assert entry['area'] == WIDTH * HEIGHT / 16
    assert read.content['categories'][1] == {'id': 2, 'name': 'red dog'}


@pytest.mark.parametrize(
    ('row', 'expected'),
    [
        ('0 0.5 0.5 0.2', '4 numbers; a box has 5'),
        ('0 0.1 0.1 0.2 0.1 0.2 0.2 0.3', '8 numbers; a box has 5 and a polygon 7, 9, 11'),
        ('0 nan 0.5 0.2 0.2', 'a number is NaN or infinite'),
        ('0 0.5 0.5 inf 0.2', 'a number is NaN or infinite'),
        ('2 0.5 0.5 0.2 0.2', 'class 2, but there are 2, from 0'),
        ('-1 0.5 0.5 0.2 0.2', 'class -1, but there are 2'),
        ('0.5 0.5 0.5 0.2 0.2', 'class 0.5, but there are 2'),
        ('cat 0.5 0.5 0.2 0.2', "'cat 0.5 0.5 0.2 0.2' are not all numbers"),
        ('0 20 16 10 10', '20 is no fraction of the image'),
    ],
)
def test_rows_that_cannot_be_used(tmp_path, row, expected):
    root = write_yolo(tmp_path)
    path = root / 'train/labels/1.txt'
    path.write_text(f'{path.read_text()}\n\n{row}\n')
    read = read_yolo(root)['train']
    (fault,) = read.faults
    assert fault.startswith('train/labels/1.txt line 4: ') and expected in fault
    assert len(read.content['annotations']) == 4
    with pytest.raises(DataError, match=r'train/labels/1\.txt line 4: .*: mend it, or rexdense pr'):
        read.whole(root)


def test_rows_without_an_image_and_images_without_rows(tmp_path):
    root = write_yolo(tmp_path)
    (root / 'train/images/1.png').unlink()
    (root / 'train/labels/2.txt').unlink()
    (root / 'train/images/3.png').write_text('no image')
    read = read_yolo(root)['train']
    assert [image['file_name'] for image in read.content['images']] == ['2.png']
    assert read.content['annotations'] == []
    assert len(read.faults) == 2
    assert 'train/labels/1.txt has no image of its name in train/images' in read.faults
    assert '3.png cannot be decoded' in read.faults[0]


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('names: [cat, cat]', "names the class 'cat' twice"),
        ('names: {1: cat, 2: dog}', r'names has 1, 2; classes are 0, 1, 2'),
        ('names: [cat, [dog, dog]]', 'class 1 of names is no text; give it a name'),
        ('names: [cat, ]\nnames: {0: cat, 1: }', 'class 1 of names is no text'),
        ('names: 3', 'names is 3; give a list of names'),
        ('names: [cat', 'is no YAML'),
        ('!!python/object/apply:os.system [ls]', 'has no names of classes'),
        ('nc: 2', 'has no names of classes'),
    ],
)
def test_names_that_cannot_be_read(tmp_path, text, expected):
    root = write_yolo(tmp_path)
    (root / 'data.yaml').write_text(text)
    with pytest.raises(DataError, match=expected) as caught:
        read_yolo(root)
    assert '\n' not in str(caught.value)


def test_names_by_number(tmp_path):
    root = write_yolo(tmp_path)
    for text in (json.dumps({'names': {'0': 'a', '1': 'b'}}), 'names:\n  0: a\n  1: b\n'):
        (root / 'data.yaml').write_text(text)
        names = [entry['name'] for entry in read_yolo(root)['val'].content['categories']]
        assert names == ['a', 'b']


def test_names_are_as_they_are_spelt(tmp_path):
    root = write_yolo(tmp_path)
    names = ['yes', 'no', 'on', '010', '1e3', 'null', '1_000', '2020-01-01']
    (root / 'data.yaml').write_text(f'names: [{", ".join(names)}]')
    categories = read_yolo(root)['train'].content['categories']
    assert [category['name'] for category in categories] == names


def test_a_line_without_a_name_numbers_no_class_anew(tmp_path):
    root = write_yolo(tmp_path)
    (root / 'data.yaml').unlink()
    (root / 'classes.txt').write_text('cat\n\ndog\n')
    with pytest.raises(DataError, match=r'classes\.txt has no name in line 2'):
        read_yolo(root)
    (root / 'classes.txt').write_text('cat\ndog\n\n')
    assert len(read_yolo(root)['train'].content['categories']) == 2


def test_rows_and_names_beside_images(tmp_path):
    """As labelImg writes them."""
    expected = read_yolo(write_yolo(tmp_path / 'a'))['train'].content
    shutil.copytree(tmp_path / 'a/train/images', tmp_path / 'b')
    shutil.copytree(tmp_path / 'a/train/labels', tmp_path / 'b', dirs_exist_ok=True)
    (tmp_path / 'b/classes.txt').write_text('cat\ndog\n')
    found = read_yolo(tmp_path / 'b')
    assert recognised(tmp_path / 'b') == 'yolo' and list(found) == [UNDIVIDED]
    assert (found[UNDIVIDED].content, found[UNDIVIDED].faults) == (expected, [])
    # Captions are no rows, and lists of files no captions.
    (tmp_path / 'c').mkdir()
    write_image(tmp_path / 'c/train.png')
    (tmp_path / 'c/train.txt').write_text('train.png')
    assert recognised(tmp_path / 'c') is None


def test_names_beside_the_rows_of_each_split(tmp_path):
    root = write_yolo(tmp_path, '{}', '{}')
    (root / 'data.yaml').unlink()
    for split in ('train', 'val'):
        (root / split / '_darknet.labels').write_text('cat\ndog\n')
    assert read_yolo(root)['val'].content['categories'] == CONTENT['categories']
    (root / 'val/_darknet.labels').write_text('dog\ncat\n')
    with pytest.raises(
        DataError, match=r'train/_darknet\.labels and .*val.* name other classes, or'
    ):
        read_yolo(root)


@pytest.mark.parametrize('number', ['7', '0.93'])
def test_a_track_or_a_score_behind_a_box_is_left_out(tmp_path, number):
    root = write_yolo(tmp_path)
    expected = read_yolo(root)['train']
    for path in root.rglob('labels/*.txt'):
        rows = path.read_text().splitlines()
        path.write_text(''.join(f'{row} {number}\n' for row in rows))
    assert read_yolo(root)['train'] == expected


def test_key_points_are_no_polygon(tmp_path):
    root = write_yolo(tmp_path)
    expected = read_yolo(root)['train'].content
    for path in root.rglob('labels/*.txt'):
        rows = path.read_text().splitlines()
        path.write_text(''.join(f'{row} 0.5 0.5 0.25 0.25\n' for row in rows))
    assert 'segmentation' in read_yolo(root)['train'].content['annotations'][0]
    with open(root / 'data.yaml', 'a') as file:
        file.write('kpt_shape: [2, 2]\n')
    assert read_yolo(root)['train'].content == expected


def test_images_that_differ_in_their_ending_alone(tmp_path):
    root = write_yolo(tmp_path)
    write_image(root / 'train/images/2.jpg')
    read = read_yolo(root)['train']
    assert [image['file_name'] for image in read.content['images']] == ['1.png', '3.png']
    (fault,) = read.faults
    assert fault.startswith('2.jpg and 2.png differ in nothing but the ending')


@pytest.mark.parametrize('layout', LAYOUTS)
def test_two_folders_for_a_split(tmp_path, layout):
    root = write_yolo(tmp_path, *LAYOUTS[layout])
    for place in LAYOUTS[layout]:
        shutil.copytree(
            root / place.format('val'), root / place.format('valid'), dirs_exist_ok=True
        )
    with pytest.raises(DataError, match='both hold val: take one away or join them'):
        read_yolo(root)


def test_pipes_are_not_opened(tmp_path):
    root = write_yolo(tmp_path)
    (root / 'train/images/1.png').unlink()
    os.mkfifo(root / 'train/images/1.png')
    (root / 'train/labels/2.txt').unlink()
    os.mkfifo(root / 'train/labels/2.txt')
    faults = read_yolo(root)['train'].faults
    assert len(faults) == 2 and all('is a named pipe' in fault for fault in faults)
