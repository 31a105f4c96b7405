"""Fine-grained sets in the layouts of their archives, a few images each."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('mmengine')
pytest.importorskip('scipy')

from scipy import io as scipy_io

from rexdense.datasets.classification.published_layouts import PUBLISHED_PARTS, PublishedDataset
from rexdense.errors import DataError, InvalidArgument


def write(root, names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (8, 8)).save(root / name)


def text(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(lines) + '\n')


def food(root):
    text(root / 'meta/classes.txt', 'apple_pie', 'waffles')
    text(root / 'meta/train.txt', 'apple_pie/1', 'waffles/2')
    text(root / 'meta/test.txt', 'waffles/3')
    write(root, [f'images/{name}.jpg' for name in ('apple_pie/1', 'waffles/2', 'waffles/3')])


def aircraft(root):
    text(root / 'data/variants.txt', '707-320', 'F-16A/B', 'Model B200')
    text(root / 'data/images_variant_trainval.txt', '0000001 707-320', '0000002 Model B200')
    text(root / 'data/images_variant_test.txt', '0000003 F-16A/B')
    write(root, [f'data/images/000000{number}.jpg' for number in (1, 2, 3)])


def cars(root):
    kinds = [('fname', object), ('class', object)]

    def annotations(*rows):
        return dict(annotations=np.array([list(rows)], dtype=kinds))

    (root / 'devkit').mkdir(parents=True)
    names = np.array([['AM General Hummer', 'Acura RL']], dtype=object)
    scipy_io.savemat(root / 'devkit/cars_meta.mat', dict(class_names=names))
    rows = annotations(('00001.jpg', 2), ('00002.jpg', 1))
    scipy_io.savemat(root / 'devkit/cars_train_annos.mat', rows)
    rows = annotations(('00001.jpg', 1), ('00002.jpg', 2))
    scipy_io.savemat(root / 'cars_test_annos_withlabels.mat', rows)
    write(root, [f'cars_{part}/0000{n}.jpg' for part in ('train', 'test') for n in (1, 2)])


def flowers(root):
    root.mkdir(parents=True, exist_ok=True)
    scipy_io.savemat(root / 'imagelabels.mat', dict(labels=np.array([[2, 1, 3, 1]])))
    splits = dict(trnid=[[3]], valid=[[1]], tstid=[[2, 4]])
    scipy_io.savemat(root / 'setid.mat', splits)
    write(root, [f'jpg/image_0000{number}.jpg' for number in (1, 2, 3, 4)])


CASES = {
    'food-101': (
        food,
        ('apple_pie', 'waffles'),
        [('images/apple_pie/1.jpg', 0), ('images/waffles/2.jpg', 1)],
        [('images/waffles/3.jpg', 1)],
    ),
    'fgvc-aircraft': (
        aircraft,
        ('707-320', 'F-16A/B', 'Model B200'),
        [('data/images/0000001.jpg', 0), ('data/images/0000002.jpg', 2)],
        [('data/images/0000003.jpg', 1)],
    ),
    'stanford-cars': (
        cars,
        ('AM General Hummer', 'Acura RL'),
        [('cars_train/00001.jpg', 1), ('cars_train/00002.jpg', 0)],
        [('cars_test/00001.jpg', 0), ('cars_test/00002.jpg', 1)],
    ),
    'oxford-flowers': (
        flowers,
        ('1', '2', '3'),
        [('jpg/image_00003.jpg', 2), ('jpg/image_00001.jpg', 1)],
        [('jpg/image_00002.jpg', 0), ('jpg/image_00004.jpg', 0)],
    ),
}


@pytest.mark.parametrize('layout', CASES)
def test_both_splits(layout, tmp_path):
    make, classes, *splits = CASES[layout]
    make(tmp_path)
    for split, expected in zip(('train', 'test'), splits, strict=True):
        dataset = PublishedDataset(str(tmp_path), split, layout, test_mode=split == 'test')
        assert dataset.metainfo['classes'] == classes
        infos = [dataset.get_data_info(index) for index in range(len(dataset))]
        assert [(info['img_path'], info['gt_label']) for info in infos] == [
            (str(tmp_path / path), label) for path, label in expected
        ]


@pytest.mark.parametrize(
    ('spoil', 'expected'),
    [
        ('meta/train.txt', 'meta/train.txt is not there: --data-root names the folder'),
        ('images/waffles/2.jpg', r'lacks 1 of 2 images of food-101 \(first images/waffles/2.jpg\)'),
    ],
)
def test_missing_files_are_told(tmp_path, spoil, expected):
    food(tmp_path)
    (tmp_path / spoil).unlink()
    with pytest.raises(DataError, match=expected):
        PublishedDataset(str(tmp_path), 'train', 'food-101')


def test_a_damaged_list_is_told(tmp_path):
    flowers(tmp_path)
    (tmp_path / 'setid.mat').write_bytes(b'no list')
    with pytest.raises(DataError, match=r'setid\.mat cannot be read .*: fetch it again'):
        PublishedDataset(str(tmp_path), 'train', 'oxford-flowers')


def matlab(name, **arrays):
    return lambda root: scipy_io.savemat(root / name, arrays)


@pytest.mark.parametrize(
    ('layout', 'spoil', 'expected'),
    [
        ('food-101', lambda root: text(root / 'meta/train.txt', 'pie/1'), "KeyError: 'pie'"),
        (
            'fgvc-aircraft',
            lambda root: text(root / 'data/images_variant_trainval.txt', '0000001'),
            'ValueError: not enough',
        ),
        ('stanford-cars', matlab('devkit/cars_meta.mat', names=1), "KeyError: 'class_names'"),
        (
            'stanford-cars',
            matlab('devkit/cars_meta.mat', class_names=np.array(['one'], dtype=object)),
            r'give cars_train/00001\.jpg the class 2 of 1: unpack',
        ),
        ('oxford-flowers', matlab('setid.mat', trnid=[[0]], valid=[[1]]), 'KeyError: 0'),
        ('oxford-flowers', matlab('imagelabels.mat', labels=[[3, 1, 0]]), 'the class 0 of 3'),
    ],
)
def test_lists_that_do_not_agree_are_told(layout, spoil, expected, tmp_path):
    CASES[layout][0](tmp_path)
    spoil(tmp_path)
    with pytest.raises(DataError, match=f'the lists of {layout} in .*{expected}') as caught:
        PublishedDataset(str(tmp_path), 'train', layout)
    assert '\n' not in str(caught.value)


def test_an_unknown_layout_shows_what_there_is(tmp_path):
    with pytest.raises(InvalidArgument, match="layout='food': did you mean 'food-101'"):
        PublishedDataset(str(tmp_path), 'train', 'food')


@pytest.mark.parametrize('split', ['val', 'trainval', ''])
def test_an_unknown_split_is_refused(split, tmp_path):
    food(tmp_path)
    with pytest.raises(InvalidArgument, match='food-101 is published with the splits train and te'):
        PublishedDataset(str(tmp_path), split, 'food-101')


@pytest.mark.parametrize('layout', CASES)
def test_the_parts_of_a_layout_are_all_that_it_reads(layout, tmp_path):
    CASES[layout][0](tmp_path)
    files = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob('*') if path.is_file()]
    parts = {part for part in PUBLISHED_PARTS[layout] if (tmp_path / part).exists()}
    read = {next(part for part in parts if f'{name}/'.startswith(f'{part}/')) for name in files}
    assert read == parts
