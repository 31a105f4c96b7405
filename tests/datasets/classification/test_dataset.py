"""Image folders and lists: classes, order, caches, refusals."""

import os

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip('mmengine')

from rexdense.datasets.classification.dataset import ClassificationDataset
from rexdense.datasets.images.files import UnreadableImage
from rexdense.errors import DataError, InvalidArgument
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
        ('list.txt', 'cat/0.png tom\r\ndog/0.png rex\r\n', ('rex', 'tom')),
        ('list.txt', 'cat/0.png\ttom\ndog/0.png\trex\n', ('rex', 'tom')),
        ('list.txt', 'cat/0.png\ttom cat\ndog/0.png\trex\n', ('rex', 'tom cat')),
        ('list.txt', '\ufeff# both\ncat/0.png tom\n\ndog\\0.PNG rex\n', ('rex', 'tom')),
        ('list.csv', 'image,class\ncat/0.png,tom\ndog/0.png,rex\n', ('rex', 'tom')),
        ('list.csv', 'cat/0.png,tom\ndog/0.png,rex\n', ('rex', 'tom')),
        ('list.csv', 'foto,klasse\ncat/0.png,tom\ndog/0.png,rex\n', ('rex', 'tom')),
        ('list.csv', 'id,label,path\n7,1,cat/0.png\n8,0,dog/0.png\n', ('0', '1')),
        ('list.csv', '"cat/0.png","tom, the cat"\ndog/0.png,rex\n', ('rex', 'tom, the cat')),
        ('list.csv', 'filename,tom,rex\ncat/0.png,1,0\ndog/0.png,0,1\n', ('rex', 'tom')),
        ('list.csv', 'rex,tom,path\n0.0,1.0,cat/0\n1.0,0.0,dog/0\n', ('rex', 'tom')),
        ('list.csv', 'path,breed\ncat/0,tom\ndog/0,rex\n', ('rex', 'tom')),
        ('list.csv', 'cat/0.png;tom\r\ndog/0.png;rex\r\n', ('rex', 'tom')),
        ('list.csv', '\nimage;class\ncat/0.png;"tom, cat"\ndog/0.png;rex\n', ('rex', 'tom, cat')),
        ('list.tsv', 'image\tlabel\ncat/0.png\ttom, cat\ndog/0.png\trex\n', ('rex', 'tom, cat')),
        ('list.txt', 'cat/0 tom\ndog/0 rex\n', ('rex', 'tom')),
        ('list.txt', 'cat/0 1\ncat/0 1\ndog/0 0\n', ('0', '1')),
    ],
)
def test_lists_of_any_form_are_read(root, name, text, classes):
    (root / name).write_bytes(text.encode())
    data, files = listed(root, ann_file=name)
    assert data.metainfo['classes'] == classes
    assert list(dict.fromkeys(files)) == [('cat/0.png', 1), ('dog/0.png', 0)]


def test_numbers_that_are_class_names_are_names(root):
    (root / 'list.txt').write_text('cat/0.png 7\ndog/0.png 3\n')
    files = listed(root, ann_file='list.txt', metainfo=dict(classes=('3', '7')))[1]
    assert [label for _, label in files] == [1, 0]


@pytest.mark.parametrize(
    ('name', 'text'),
    [
        ('val.txt', 'a.JPEG 1\nb.JPEG 0\n'),
        ('val.txt', 'a.JPEG n00000002\nb n00000001\n'),
        (
            'LOC_val_solution.csv',
            'ImageId,PredictionString\na,n00000002 85 1 9 7 n00000002 1 2 3 4\nb,n00000001 1 2\n',
        ),
    ],
)
def test_the_flat_validation_of_imagenet_has_the_labels_of_training(tmp_path, name, text):
    for synset in ('n00000001', 'n00000002', 'n00000003'):
        write(tmp_path / 'train' / synset / f'{synset}_1.JPEG')
    for file in ('a', 'b'):
        write(tmp_path / 'val' / f'{file}.JPEG')
    (tmp_path / name).write_text(text)
    data, files = listed(tmp_path, 'val', ann_file=name, test_mode=True)
    assert data.metainfo['classes'] == ('n00000001', 'n00000002', 'n00000003')
    assert files == [('a.JPEG', 1), ('b.JPEG', 0)]


def test_the_training_list_names_the_classes_of_validation(root):
    (root / 'train.txt').write_text('cat/0.png ant\ncat/1.png bee\ndog/0.png cow\n')
    (root / 'val.txt').write_text('cat/0.png cow\ndog/0.png bee\n')
    arguments = dict(ann_file='val.txt', class_split='val', test_mode=True)
    with pytest.raises(DataError, match='class_ann_file'):
        listed(root, 'val', **arguments)
    with pytest.raises(DataError, match='cannot be read'):
        listed(root, 'val', class_ann_file='nowhere.txt', **arguments)
    files = listed(root, 'train', class_ann_file='train.txt', ann_file='val.txt')[1]
    assert files == [('cat/0.png', 2), ('dog/0.png', 1)]


@pytest.mark.parametrize(('broken', 'stops'), [(1, False), (2, False), (3, True)])
def test_more_broken_images_than_the_share_stop_the_run(root, broken, stops):
    pipeline = [dict(type='rexdense.LoadImage')]
    data, files = listed(root, most_unreadable=0.25, pipeline=pipeline)
    for name, _ in files[:broken]:
        (root / 'train' / name).write_bytes(b'no image')
    assert len(data) == 10
    if not stops:
        assert [data[index]['img'].shape for index in range(10)] == [(8, 8, 3)] * 10
        assert data.skipped_images == broken
        return
    with pytest.raises(UnreadableImage, match=r'3 of its 10 .* share of 0.25') as caught:
        list(map(data.prepare_data, range(10)))
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('share', [-0.1, 1.5, 'half'])
def test_other_shares_are_refused(root, share):
    with pytest.raises(InvalidArgument, match='most_unreadable'):
        listed(root, most_unreadable=share)


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
    (root / 'negative.txt').write_text('cat/0.png -1\ndog/0.png 0\n')
    (root / 'names.txt').write_text('cat/0.png 8712345678901\ndog/0.png 1\n')
    (root / 'long.txt').write_text(f'cat/0.png 0\ndog/0.png {"9" * 5000}\n')
    (root / 'ids.txt').write_text('490\n361\n')
    (root / 'binary.txt').write_bytes(b'\xff\xfe\0')
    (root / 'empty.txt').write_text('\n# nothing\n')
    (root / 'half.csv').write_text('image,class\ncat/0.png\n')
    (root / 'several.csv').write_text('path,cat,dog\ncat/0.png,1,1\ndog/0.png,0,1\n')
    (root / 'none.csv').write_text('path,cat,dog\ncat/0.png,1,0\ndog/0.png,0,0\n')
    (root / 'breeds.csv').write_text('path,breed,age\ncat/0.png,tom,3\ndog/0.png,rex,4\n')
    (root / 'plain.csv').write_text('cat/0.png,tom,3\ndog/0.png,rex,4\n')
    (root / 'both.txt').write_text('cat/0.png 0\ncat/0 1\ndog/0.png 1\n')
    (root / 'bare.txt').write_text('cat/9 0\ndog/0.png 1\n')
    (root / 'open.csv').write_text('image,class\n"cat/0.png,tom\n')
    (root / 'named').mkdir()
    (root / 'named' / 'classes.txt').write_bytes(b'caf\xe9\ntea\n')
    (root / 'twice').mkdir()
    (root / 'twice' / 'classes.txt').write_text('a\nb\na\n')


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
        ('.', 'train', dict(ann_file='negative.txt'), 'the label -1'),
        ('.', 'train', dict(ann_file='names.txt'), 'the label 8712345678901; labels count'),
        ('.', 'train', dict(ann_file='long.txt'), r'the label 9{20}\.\.\.; labels count'),
        ('.', 'train', dict(ann_file='ids.txt'), 'line 1: give an image and its class'),
        ('.', 'train', dict(ann_file='binary.txt'), 'no UTF-8 text: save it as UTF-8'),
        ('.', 'train', dict(ann_file='empty.txt'), 'lists no image'),
        ('.', 'train', dict(ann_file='half.csv'), 'line 2'),
        ('.', 'train', dict(ann_file='open.csv'), 'line 2'),
        ('.', 'train', dict(ann_file='several.csv'), 'line 2: 2 of its 2 columns .* hold a 1'),
        ('.', 'train', dict(ann_file='none.csv'), 'line 3: 0 of its 2 columns of classes hold a 1'),
        ('.', 'train', dict(ann_file='breeds.csv'), r"images \(breed, age\).* the title 'class'"),
        ('.', 'train', dict(ann_file='plain.csv'), r'2 columns beside the images \(without titles'),
        ('.', 'train', dict(ann_file='both.txt'), r"cat/0\.png two classes, '0' and '1'"),
        ('.', 'train', dict(ann_file='bare.txt'), r'first cat/9; .* \.JPEG, \.jpg, \.png'),
        ('.', 'train', dict(metainfo=dict(classes=('cat', 'dog', 'Ünï', 'cat'))), "'cat' twice"),
        ('named', 'train', {}, 'no UTF-8 text'),
        ('twice', 'train', {}, "names 'a' twice"),
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
def test_faults_of_a_folder_are_told_in_a_line(root, place, split, arguments, words):
    faults(root)
    with pytest.raises(DataError, match=words) as caught:
        ClassificationDataset(str(root / place), split, **arguments)
    assert '\n' not in str(caught.value)


@needs_shared
@pytest.mark.slow
def test_a_picture_of_each_class_runs_through_the_test_pipeline_of_imagenet():
    pipeline = [
        dict(type='rexdense.LoadImage'),
        dict(type='rexdense.ResizeCenterCrop', size=224, crop=0.875),
        dict(type='rexdense.PackClassification'),
    ]
    root = SHARED / 'data' / 'imagenet_sample'
    data = ClassificationDataset(str(root), 'val', pipeline=pipeline, test_mode=True)
    synsets = sorted(path.name for path in (root / 'val').iterdir())
    assert len(data) == 1000 and data.metainfo['classes'] == tuple(synsets)
    for label, synset in enumerate(synsets):
        sample = data[label]
        assert sample['inputs'].shape == (3, 224, 224) and sample['inputs'].dtype == torch.uint8
        assert sample['data_samples'].gt_label == label
        assert f'/{synset}/' in sample['data_samples'].img_path
    assert data.skipped_images == 0
