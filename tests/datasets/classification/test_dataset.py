"""Image folders and lists: classes, order, caches, refusals."""

import os

import cv2
import numpy as np
import pytest

pytest.importorskip('mmengine')

from rexdense.datasets.classification.dataset import ClassificationDataset
from rexdense.datasets.classification.file_index import FileIndex, scan_classes
from rexdense.errors import DataError
from tests.shared_files import SHARED, needs_shared


def write(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((8, 8, 3), value, np.uint8))


@pytest.fixture
def root(tmp_path):
    for split, count in (('train', 3), ('val', 2)):
        for name in ('dog', 'cat', 'Ünï'):
            for index in range(count):
                write(tmp_path / split / name / f'{index}.png')
    write(tmp_path / 'train' / 'cat' / 'inner' / 'z.jpg')
    (tmp_path / 'train' / 'cat' / 'notes.txt').write_text('no image')
    return tmp_path


def listed(root, split='train', **arguments):
    data = ClassificationDataset(str(root), split, **arguments)
    return data, [
        (os.path.relpath(info['img_path'], root / split), info['gt_label'])
        for info in map(data.get_data_info, range(len(data)))
    ]


def test_folders_give_classes_and_files_in_order(root):
    data, files = listed(root)
    assert data.metainfo['classes'] == ('cat', 'dog', 'Ünï')
    assert files == [
        *((f'cat/{name}', 0) for name in ('0.png', '1.png', '2.png', 'inner/z.jpg')),
        *((f'dog/{index}.png', 1) for index in range(3)),
        *((f'Ünï/{index}.png', 2) for index in range(3)),
    ]
    assert data.labels.tolist() == [label for _, label in files]


def test_validation_has_the_labels_of_training_though_it_lacks_a_class(root):
    for file in (root / 'val' / 'cat').iterdir():
        file.unlink()
    (root / 'val' / 'cat').rmdir()
    data, files = listed(root, 'val')
    assert data.metainfo['classes'] == ('cat', 'dog', 'Ünï')
    assert {label for _, label in files} == {1, 2}


def test_a_class_file_says_the_order(root):
    (root / 'classes.txt').write_text('# order of the labels\nÜnï\ncat\ndog\n', encoding='utf-8')
    assert listed(root)[0].metainfo['classes'] == ('Ünï', 'cat', 'dog')


def test_a_synset_list_names_its_folders(root):
    for split in ('train', 'val'):
        (root / split / 'cat').rename(root / split / 'n00000002')
        (root / split / 'dog').rename(root / split / 'n00000001')
        for file in (root / split / 'Ünï').rglob('*'):
            file.unlink()
        (root / split / 'Ünï').rmdir()
    (root / 'classes.txt').write_text('n00000001 dog, hound\nn00000002 cat\n')
    data, files = listed(root)
    assert data.metainfo['classes'] == ('n00000001', 'n00000002')
    assert files[0] == ('n00000001/0.png', 0)


@pytest.mark.parametrize(
    ('name', 'text', 'classes'),
    [
        ('list.txt', 'cat/0.png 1\ndog/0.png 0\n', ('0', '1')),
        ('list.txt', 'cat/0.png tom\ndog/0.png rex\n', ('rex', 'tom')),
        ('list.csv', 'image,class\ncat/0.png,tom\ndog/0.png,rex\n', ('rex', 'tom')),
    ],
)
def test_lists_of_either_form_are_read(root, name, text, classes):
    (root / name).write_text(text)
    data, files = listed(root, ann_file=name)
    assert data.metainfo['classes'] == classes
    assert files == [('cat/0.png', 1), ('dog/0.png', 0)]


def test_the_second_run_reads_the_cache_until_a_folder_changes(root, tmp_path_factory, monkeypatch):
    cache = tmp_path_factory.mktemp('cache')
    first = scan_classes(root / 'train', cache=cache)
    walked = []
    walk = os.walk
    monkeypatch.setattr(os, 'walk', lambda *a, **k: walked.append(a) or walk(*a, **k))
    second = scan_classes(root / 'train', cache=cache)
    assert not walked and second[0] == first[0]
    assert [second[1].path(i) for i in range(10)] == [first[1].path(i) for i in range(10)]
    write(root / 'train' / 'cat' / 'inner' / 'new.png')
    os.utime(root / 'train' / 'cat' / 'inner', ns=(1, 1))
    assert len(scan_classes(root / 'train', cache=cache)[1]) == 11
    assert len(walked) == 1
    for file in cache.iterdir():
        file.write_text('damaged')
    assert len(scan_classes(root / 'train', cache=cache)[1]) == 11


def test_an_index_keeps_a_million_paths_in_arrays():
    names = [f'class_{i % 1000:03d}/image_{i:07d}.JPEG' for i in range(100_000)]
    index = FileIndex(names, np.arange(100_000) % 1000)
    assert index.path(0) == names[0] and index.path(99_999) == names[-1]
    assert index.path(54_321) == names[54_321]
    assert index._text.nbytes + index._ends.nbytes + index.labels.nbytes < 50 * 100_000


@needs_shared
def test_labels_of_imagenet_are_the_places_of_the_sorted_synsets():
    data = ClassificationDataset(str(SHARED / 'data' / 'imagenet_sample'), 'val')
    synsets = (SHARED / 'data' / 'imagenet_sample' / 'classes.txt').read_text().split()
    assert data.metainfo['classes'] == tuple(sorted(synsets))
    for index in (0, 499, 999):
        info = data.get_data_info(index)
        assert f'/{synsets[info["gt_label"]]}/' in info['img_path']


def faults(root):
    empty = root / 'empty'
    (empty / 'train' / 'a').mkdir(parents=True)
    (root / 'flat' / 'train').mkdir(parents=True)
    write(root / 'flat' / 'train' / 'a.png')
    write(root / 'one' / 'train' / 'a' / 'a.png')
    write(root / 'strange' / 'train' / 'a' / 'a.png')
    write(root / 'strange' / 'train' / 'b' / 'a.png')
    write(root / 'strange' / 'val' / 'c' / 'a.png')
    (root / 'missing.txt').write_text('cat/9.png 0\n')
    (root / 'range.txt').write_text('cat/0.png 7\n')
    (root / 'short.txt').write_text('cat/0.png\n')
    (root / 'unknown.txt').write_text('cat/0.png cow\n')


@pytest.mark.parametrize(
    ('place', 'split', 'arguments', 'words'),
    [
        ('nowhere', 'train', {}, 'is not there'),
        ('empty', 'train', {}, 'no image below'),
        ('flat', 'train', {}, 'holds no folders'),
        ('one', 'train', {}, 'one class only'),
        ('strange', 'val', {}, "not among the 2 .*'c'"),
        ('.', 'train', dict(ann_file='missing.txt'), '9.png'),
        ('.', 'train', dict(ann_file='absent.txt'), 'cannot be read'),
        ('.', 'train', dict(ann_file='short.txt'), 'line 1'),
        (
            '.',
            'train',
            dict(ann_file='range.txt', metainfo=dict(classes=('a', 'b'))),
            'the label 7, but there are 2',
        ),
        (
            '.',
            'train',
            dict(ann_file='unknown.txt', metainfo=dict(classes=('cat', 'dog'))),
            "'cow' is not known",
        ),
    ],
)
def test_what_cannot_be_used_is_told_in_a_line(root, place, split, arguments, words):
    faults(root)
    with pytest.raises(DataError, match=words) as caught:
        ClassificationDataset(str(root / place), split, **arguments)
    assert '\n' not in str(caught.value)
