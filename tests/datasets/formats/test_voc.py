"""Pascal VOC folders are read as COCO files are, and safely."""

import shutil

import pytest

from rexdense.datasets.coco.annotations import read_annotations
from rexdense.datasets.coco.folder import CocoFolder
from rexdense.datasets.formats.safe_xml import MOST_NESTED
from rexdense.datasets.formats.voc import read_voc
from rexdense.datasets.inspection.sources import read_box_splits, recognised
from rexdense.errors import DataError
from tests.small_coco import CONTENT
from tests.small_formats import HEIGHT, WIDTH, boxes_of, voc_xml, write_voc


@pytest.fixture
def root(tmp_path):
    return write_voc(tmp_path / 'voc')


def key_values(annotations, *keys):
    return [[entry[key] for key in keys] for entry in annotations]


KEYS = ('id', 'image_id', 'category_id', 'bbox', 'area', 'iscrowd')


def test_a_folder_becomes_what_the_coco_file_says(root):
    checked = CocoFolder(root).check()
    assert checked.classes == ('cat', 'dog')
    assert checked.train.dataset['images'] == CONTENT['images']
    found, expected = checked.train.dataset['annotations'], CONTENT['annotations']
    assert key_values(found, *KEYS) == key_values(expected, *KEYS)
    assert checked.train.image_folder == root / 'JPEGImages'
    assert CocoFolder(root).found_places({'val': checked.val}) == [
        'val is read from ImageSets/Main/val.txt, its images from JPEGImages/.'
    ]


@pytest.mark.parametrize('layout', ['beside', 'below', 'below with images', 'in each split'])
def test_folders_of_xml_files(root, tmp_path, layout):
    target = tmp_path / 'other'
    for split in ('train', 'valid'):
        if layout == 'beside':
            annotations = images = target / split
        elif layout == 'in each split':
            annotations, images = target / split / 'annotations', target / split / 'images'
        else:
            annotations = target / 'Annotations' / split
            images = target / ('JPEGImages' if layout == 'below' else f'images/{split}')
        shutil.copytree(root / 'Annotations', annotations, dirs_exist_ok=True)
        shutil.copytree(root / 'JPEGImages', images, dirs_exist_ok=True)
    checked = CocoFolder(target).check()
    assert checked.val.boxes_per_class == {'cat': 2, 'dog': 2}
    assert len(checked.train.dataset['images']) == 3


@pytest.mark.parametrize('images', ['images', 'Images'])
def test_folders_in_lower_case_without_splits(root, images):
    shutil.rmtree(root / 'ImageSets')
    (root / 'Annotations').rename(root / 'annotations')
    (root / 'JPEGImages').rename(root / images)
    assert recognised(root) == 'voc'
    (read,) = read_box_splits(root, 'voc').values()
    assert read.boxes.image_folder == root / images and len(read.boxes.dataset['images']) == 3
    with pytest.raises(DataError, match='prepare --val-share divide what annotations has'):
        CocoFolder(root).check()


def test_difficult_truncated_spaces_and_a_missing_size(root):
    more = '<difficult>1</difficult><truncated>1</truncated>'
    text = voc_xml([(' red cell ', [0, 0, 5, 5])], more, size=False)
    (root / 'Annotations/1.xml').write_text(text)
    (root / 'Annotations/3.xml').write_text(voc_xml(boxes_of('2'), size=False))
    read = read_annotations(root / 'ImageSets/Main/train.txt', root / 'JPEGImages')
    assert read.classes == ('cat', 'dog', 'red cell')
    first = read.dataset['annotations'][0]
    assert key_values([first], 'bbox', 'iscrowd', 'difficult', 'truncated') == [
        [[0, 0, 5, 5], 1, 1, 1]
    ]
    assert (read.dataset['images'][0]['height'], read.dataset['images'][0]['width']) == (
        HEIGHT,
        WIDTH,
    )
    assert read.crowds == 1


@pytest.mark.parametrize('side', ['²', '9' * 5000, '0', '-3', '48.0'])
def test_a_size_that_is_no_number_of_pixels(root, side):
    text = voc_xml(boxes_of('1')).replace(f'<width>{WIDTH}<', f'<width>{side}<')
    (root / 'Annotations/1.xml').write_text(text, encoding='utf-8')
    image = read_voc(root / 'ImageSets/Main/train.txt').whole(root)['images'][0]
    assert (image['height'], image['width']) == (HEIGHT, WIDTH)


@pytest.mark.parametrize(('text', 'expected'), [('True', 1), ('1', 1), ('false', 0), ('', 0)])
def test_words_for_difficult(root, text, expected):
    more = f'<difficult>{text}</difficult>'
    (root / 'Annotations/1.xml').write_text(voc_xml(boxes_of('1'), more))
    entry = read_voc(root / 'ImageSets/Main/train.txt').content['annotations'][0]
    assert (entry['difficult'], entry['iscrowd']) == (expected, expected)


def test_images_that_differ_in_their_ending_alone(root):
    shutil.copy(root / 'JPEGImages/1.png', root / 'JPEGImages/1.jpg')
    read = read_voc(root / 'ImageSets/Main/train.txt')
    assert read.faults[0].startswith('1.jpg and 1.png differ in nothing but the ending')
    path = root / 'Annotations/1.xml'
    path.write_text(path.read_text().replace('x.png', '1.png'))
    read = read_voc(root / 'ImageSets/Main/train.txt')
    assert read.faults == [] and read.content['images'][0]['file_name'] == '1.png'


def test_two_lists_for_a_split(root):
    shutil.copy(root / 'ImageSets/Main/val.txt', root / 'ImageSets/Main/valid.txt')
    with pytest.raises(DataError, match='for val: choose one with --val-annotations'):
        CocoFolder(root).check()
    with pytest.raises(DataError, match='both hold val: take one away or join them'):
        read_box_splits(root, 'voc')


def test_names_of_files_with_spaces_and_lists_of_one_class(root):
    (root / 'Annotations/1.xml').rename(root / 'Annotations/a 1.xml')
    (root / 'JPEGImages/1.png').rename(root / 'JPEGImages/a 1.png')
    (root / 'ImageSets/Main/train.txt').write_text('a 1\n2 -1\n\n3  1\n')
    content = read_voc(root / 'ImageSets/Main/train.txt').whole(root)
    assert [image['file_name'] for image in content['images']] == ['a 1.png', '2.png', '3.png']


def test_corners_that_count_from_0_stay_in_the_image(root):
    box = '<xmin>0</xmin><ymin>0</ymin><xmax>9.5</xmax><ymax>8</ymax>'
    text = voc_xml([('cat', [1, 1, 1, 1])])
    start, end = text.index('<xmin>'), text.index('</bndbox>')
    (root / 'Annotations/1.xml').write_text(text[:start] + box + text[end:])
    read = read_voc(root / 'ImageSets/Main/train.txt').content
    assert read['annotations'][0]['bbox'] == [0, 0, 9.5, 8]


LAUGHS = (
    '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><annotation><object><name>&b;</name>'
    '</object></annotation>'
)
OUTSIDE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>'


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        (voc_xml(boxes_of('1'))[:90], r'1\.xml is torn or no XML'),
        ('', r'1\.xml is torn or no XML'),
        ('\x00\x01', r'1\.xml is torn or no XML'),
        ('<?xml version="1.0" encoding="nonsense"?><annotation/>', 'is torn or no XML'),
        (LAUGHS, 'declares a document type'),
        (OUTSIDE, 'declares a document type'),
        ('<a>' * (MOST_NESTED + 1), f'more than {MOST_NESTED} elements in one another'),
        ('<svg/>', r"1\.xml is not VOC: its root is 'svg' and not annotation"),
        (voc_xml([('', [1, 1, 2, 2])]), r'1\.xml: an object has no name'),
        (voc_xml([('cat', [1, 1, 2, 2])]).replace('<xmax>3', '<xmax>wide'), "xmax of 'cat' is 'w"),
        (voc_xml([('cat', [1, 1, 2, 2])]).replace('<xmin>2', '<xmin>nan'), 'give a number'),
    ],
)
def test_a_file_that_cannot_be_read(root, text, expected):
    (root / 'Annotations/1.xml').write_text(text)
    with pytest.raises(DataError, match=expected) as caught:
        CocoFolder(root).check()
    assert '\n' not in str(caught.value) and str(root / 'ImageSets/Main/train.txt') in str(
        caught.value
    )


def test_a_long_file(root, monkeypatch):
    monkeypatch.setattr('rexdense.datasets.formats.safe_xml.MOST_BYTES', 2**20)
    (root / 'Annotations/2.xml').write_text(' ' * (2**20 + 1))
    with pytest.raises(DataError, match=r'2\.xml is longer than 1 MiB'):
        CocoFolder(root).check()


@pytest.mark.parametrize(
    ('spoil', 'expected'),
    [
        (lambda root: (root / 'Annotations/2.xml').unlink(), r'2\.xml cannot be read \(No such'),
        (lambda root: (root / 'JPEGImages/2.png').unlink(), '1 of its 3 images are missing'),
        (lambda root: (root / 'ImageSets/Main/train.txt').write_text('\n'), 'names no image'),
        (
            lambda root: (root / 'ImageSets/Main/train.txt').write_text('../Annotations/1\n'),
            "'../Annotations/1' leads out of Annotations",
        ),
        (
            lambda root: (root / 'ImageSets/Main/train.txt').write_text('/etc/1\n'),
            "'/etc/1' leads out of Annotations",
        ),
        (
            lambda root: (root / 'ImageSets/Main/train.txt').write_text('1\0x\n'),
            r'1\\0x\.xml cannot be read \(embedded null',
        ),
        (lambda root: (root / 'ImageSets/Main/val.txt').unlink(), 'no annotation file for val'),
        (lambda root: shutil.rmtree(root / 'Annotations'), 'there is no folder Annotations'),
    ],
)
def test_a_folder_that_lacks_something(root, spoil, expected):
    spoil(root)
    with pytest.raises(DataError, match=expected):
        CocoFolder(root).check()
