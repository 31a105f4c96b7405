"""Images in tar files: the same pixels and labels as in folders, and what cannot be used."""

import io
import os
import pickle
import tarfile

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip('mmengine')

from mmengine.dataset import DefaultSampler, pseudo_collate

from rexdense.datasets.classification.dataset import ClassificationDataset
from rexdense.datasets.classification.shards import scan_shards
from rexdense.datasets.images.files import UnreadableImage
from rexdense.errors import DataError
from rexdense.visualization.picture_files import read_picture

LOAD = [dict(type='rexdense.LoadImage')]


def content(value, ending='.png'):
    return cv2.imencode(ending, np.full((8, 8, 3), value, np.uint8))[1].tobytes()


def pack(path, members, mode='w'):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def listed(root, split='train', **arguments):
    data = ClassificationDataset(str(root), split, **arguments)
    infos = map(data.get_data_info, range(len(data)))
    return data, [(os.path.relpath(i['img_path'], root / split), i['gt_label']) for i in infos]


@pytest.fixture
def root(tmp_path):
    long = 'z' * 150
    pack(
        tmp_path / 'train' / 'shard-0.tar',
        {'dog/0.png': content(10), 'notes.txt': b'x', f'cat/{long}.jpg': content(20, '.jpg')},
    )
    pack(
        tmp_path / 'train' / 'shard-1.tar',
        {'./cat/1.png': content(30), 'cat/.h.png': b'x', '__MACOSX/cat/1.png': b'x'},
    )
    pack(tmp_path / 'val' / 'a.tar', {'dog/0.png': content(40)})
    return tmp_path


def test_folders_in_archives_are_classes(root):
    data, files = listed(root, pipeline=LOAD)
    assert data.metainfo['classes'] == ('cat', 'dog')
    assert files == [
        ('shard-0.tar/dog/0.png', 1),
        (f'shard-0.tar/cat/{"z" * 150}.jpg', 0),
        ('shard-1.tar/cat/1.png', 0),
    ]
    assert [int(data[index]['img'][0, 0, 0]) for index in range(3)] == [10, 20, 30]
    # Validation lacks a class and keeps the labels of training.
    assert listed(root, 'val')[1] == [('a.tar/dog/0.png', 1)]


@pytest.mark.parametrize(
    ('members', 'classes', 'labels'),
    [
        (
            {'a.png': content(1), 'a.cls': b'2\n', 'b.cls': b'0', 'b.png': content(2)},
            ('0', '1', '2'),
            [2, 0],
        ),
        (
            {'x/a.png': content(1), 'x/a.cls': b'tom', 'x/b.png': content(2), 'x/b.cls': b'rex'},
            ('rex', 'tom'),
            [1, 0],
        ),
        (
            {'a.1.png': content(1), 'a.1.cls': b'0', 'a.2.png': content(2), 'a.2.cls': b'1'},
            ('0', '1'),
            [0, 1],
        ),
        (
            {'a.seg.png': content(1), 'a.cls': b'1', 'b.rgb.png': content(2), 'b.cls': b'0'},
            ('0', '1'),
            [1, 0],
        ),
    ],
)
def test_labels_of_webdataset_count(tmp_path, members, classes, labels):
    pack(tmp_path / 'train' / '0.tar', members)
    data, files = listed(tmp_path)
    assert data.metainfo['classes'] == classes and [label for _, label in files] == labels


def test_imagenets_archives_are_classes_by_their_names(tmp_path):
    for synset in ('n00000002', 'n00000001'):
        # Members of other names, and what systems add, say nothing of a class.
        members = {f'{synset}_1.JPEG': content(5, '.jpg')}
        members |= {f'._{synset}_1.JPEG': b'x', 'notes.txt': b'x'}
        pack(tmp_path / 'train' / f'{synset}.tar', members)
    data, files = listed(tmp_path)
    assert data.metainfo['classes'] == ('n00000001', 'n00000002')
    assert files[1] == ('n00000002.tar/n00000002_1.JPEG', 1)


def test_folders_are_classes_whatever_lies_beside_an_image(tmp_path):
    members = {f'{name}/0{end}': content(1) for name in 'ab' for end in ('.png', '.json')}
    pack(tmp_path / 'train' / '0.tar', members)
    assert listed(tmp_path)[0].metainfo['classes'] == ('a', 'b')


def test_loader_processes_read_side_by_side(tmp_path):
    members = {f'{"ab"[i % 2]}/{i}.png': content(i) for i in range(60)}
    pack(tmp_path / 'train' / '0.tar', members)
    data = ClassificationDataset(str(tmp_path), 'train', pipeline=LOAD)
    data[0]  # opened before the processes are forked
    loader = torch.utils.data.DataLoader(data, 3, num_workers=2, collate_fn=lambda batch: batch)
    seen = [(int(one['img'][0, 0, 0]), one['sample_idx']) for batch in loader for one in batch]
    assert seen == [(index, index) for index in range(60)]


def test_a_pass_goes_on_at_the_very_image(tmp_path):
    for shard in range(3):
        pack(
            tmp_path / 'train' / f'{shard}.tar',
            {f'{"ab"[i % 2]}/{i}.png': content(20 * shard + i) for i in range(5 + shard)},
        )
    data = ClassificationDataset(str(tmp_path), 'train', pipeline=LOAD)
    sampler = DefaultSampler(data, shuffle=True, seed=3)
    order = list(sampler)
    assert sorted(order) == list(range(18))

    def pixels(places):
        loader = torch.utils.data.DataLoader(data, 2, sampler=places, collate_fn=pseudo_collate)
        return [int(image[0, 0, 0]) for batch in loader for image in batch['img']]

    assert pixels(order)[7:] == pixels(order[7:])


@pytest.mark.parametrize('processes', [2, 4])
@pytest.mark.parametrize('images', [16, 18])
def test_processes_share_the_images_of_archives(processes, images, tmp_path, monkeypatch):
    """None is lost; twice are read those alone that fill the shares up, the first of the order."""
    for shard in range(3):
        members = {
            f'{"ab"[place % 2]}/{place}.png': content(10 * place)
            for place in range(images)
            if place % 5 % 3 == shard
        }
        pack(tmp_path / 'train' / f'{shard}.tar', members)
    data = ClassificationDataset(str(tmp_path), 'train', pipeline=LOAD)
    for epoch in range(2):
        read = []
        for rank in range(processes):
            monkeypatch.setattr(
                'mmengine.dataset.sampler.get_dist_info', lambda rank=rank: (rank, processes)
            )
            share = DefaultSampler(data, shuffle=True, seed=3)
            share.set_epoch(epoch)
            loader = torch.utils.data.DataLoader(
                data, 2, sampler=share, collate_fn=pseudo_collate, num_workers=0
            )
            read.append([int(image[0, 0, 0]) for batch in loader for image in batch['img']])
        in_order = [value for step in zip(*read, strict=True) for value in step]
        assert sorted(in_order[:images]) == [10 * place for place in range(images)]
        assert in_order[images:] == in_order[: -images % processes]


def test_an_image_is_found_by_its_path_alone(root):
    data = ClassificationDataset(str(root), 'train')
    values = [int(read_picture(data.get_data_info(i)['img_path'])[0, 0, 0]) for i in range(3)]
    assert values == [10, 20, 30]
    for wrong in ('shard-0.tar/dog/9.png', 'shard-0.tar/dog', 'shard-9.tar/dog/0.png'):
        with pytest.raises(UnreadableImage, match='cannot be read'):
            read_picture(root / 'train' / wrong)


def test_subsets_and_copies_read_the_same(root):
    data = ClassificationDataset(str(root), 'train', pipeline=LOAD, indices=[2, 0])
    data = pickle.loads(pickle.dumps(data))
    assert [int(data[index]['img'][0, 0, 0]) for index in range(2)] == [30, 10]


def test_the_cache_is_read_until_an_archive_changes(root, tmp_path_factory, monkeypatch):
    cache = tmp_path_factory.mktemp('cache')
    first = scan_shards(root / 'train', cache=cache)
    opened = []
    real = tarfile.open
    monkeypatch.setattr(tarfile, 'open', lambda *a, **k: opened.append(a[0]) or real(*a, **k))
    second = scan_shards(root / 'train', cache=cache)
    assert not opened
    assert [first[1].describe(i) for i in range(3)] == [second[1].describe(i) for i in range(3)]
    pack(root / 'train' / 'shard-1.tar', {'cat/1.png': content(3), 'cat/2.png': content(4)})
    opened.clear()
    assert len(scan_shards(root / 'train', cache=cache)[1]) == 4
    assert [path.name for path in opened] == ['shard-1.tar']


def test_folders_count_where_archives_lie_beside_them(root):
    for name in ('ant', 'bee'):
        (root / 'train' / name).mkdir()
        (root / 'train' / name / '0.png').write_bytes(content(1))
    assert listed(root)[0].metainfo['classes'] == ('ant', 'bee')


def test_an_archive_that_got_shorter_is_told(root):
    data = ClassificationDataset(str(root), 'train', pipeline=LOAD, test_mode=True)
    path = root / 'train' / 'shard-1.tar'
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(UnreadableImage, match=r'shard-1\.tar'):
        data[2]


@pytest.mark.parametrize(
    ('make', 'words'),
    [
        (lambda path: path.write_bytes(b'no archive at all' * 100), 'cannot be read as a tar'),
        (lambda path: path.write_bytes(b''), 'cannot be read as a tar'),
        (lambda path: pack(path, {'a/0.png': content(1)}, 'w:gz'), 'without compression'),
        (lambda path: pack(path, {'a/0.txt': b'x'}), 'no image in the 1 archives'),
        (lambda path: pack(path, {'a/0.png': content(1)}), 'one class only'),
        (
            lambda path: pack(path, {'0.png': b'', '0.cls': b'1', '1.png': b''}),
            r'1\.png has no class',
        ),
        (lambda path: pack(path, {'0.png': b'', '0.cls': b'\xff'}), 'cannot be read'),
        # A name of digits: the classes before it would fill the memory.
        *(
            (
                lambda path, word=word: pack(path, {'0.png': b'', '0.cls': word}),
                rf'train has the label {word.decode()[:20]}(\.\.\.)?; labels count the classes',
            )
            for word in (b'8712345678901', b'9' * 1000)
        ),
        (lambda path: pack(path, {'0.png': b'', '0.json': b'{}'}), r'0\.json is not read: give it'),
        (lambda path: pack(path, {'0.txt': b'a', '0.png': b''}), r'0\.txt is not read: give it'),
        (lambda path: pack(path, {'./0.rgb.png': b'', './0.CLS': b'1'}), r'0\.CLS is not read'),
    ],
)
def test_archives_that_cannot_be_used_are_told_in_a_line(tmp_path, make, words):
    (tmp_path / 'train').mkdir()
    make(tmp_path / 'train' / '0.tar')
    with pytest.raises(DataError, match=words) as caught:
        listed(tmp_path)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('length', [500, 512, 600, 1024, 1100, 1536, 2600])
def test_a_cut_archive_is_told(root, length):
    path = root / 'train' / 'shard-0.tar'
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(DataError, match=r'shard-0\.tar'):
        listed(root)


@pytest.mark.parametrize(
    ('classes', 'words'), [(('cat', 'cow'), "first 'dog'"), (('cat', 'dog'), None)]
)
def test_classes_beyond_the_known_ones_are_refused(root, classes, words):
    if words is None:
        assert len(listed(root, metainfo=dict(classes=classes))[1]) == 3
        return
    with pytest.raises(DataError, match=words):
        listed(root, metainfo=dict(classes=classes))
