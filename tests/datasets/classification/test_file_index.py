"""Lists of files in arrays, and kept between runs."""

import os
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from rexdense.datasets.classification.file_index import FileIndex, scan_classes
from rexdense.datasets.classification.listing_cache import ListingCache
from rexdense.datasets.images.folders import images_below
from rexdense.errors import DataError


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))


@pytest.fixture
def root(tmp_path):
    for name in ('cat', 'dog', 'Ünï'):
        for index in range(3):
            write(tmp_path / 'train' / name / f'{index}.png')
    write(tmp_path / 'train' / 'cat' / 'inner' / 'z.jpg')
    return tmp_path


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
    index = FileIndex(Path('x'), names, np.arange(100_000) % 1000)
    assert index.path(0) == names[0] and index.path(99_999) == names[-1]
    assert index.path(54_321) == names[54_321]
    assert index._paths.nbytes + index.labels.nbytes < 50 * 100_000


def test_the_names_of_a_hundred_thousand_files_are_kept_and_read_back(tmp_path):
    names = [f'class_{i % 100:03d}/image_{i:07d}_é.JPEG' for i in range(100_000)]
    cache = ListingCache(tmp_path / 'cache')
    kept = cache.get(tmp_path, lambda record: True, lambda: dict(files=names))
    assert kept['files'] == names
    # What was kept is read, not made again.
    assert cache.get(tmp_path, lambda record: True, dict)['files'] == names
    assert cache.get(tmp_path, lambda record: False, lambda: dict(files=[]))['files'] == []


def test_a_cache_that_cannot_be_written_is_gone_without(tmp_path):
    (tmp_path / 'file').write_text('')
    cache = ListingCache(tmp_path / 'file' / 'cache')
    assert cache.get(tmp_path, lambda record: True, lambda: dict(files=['a']))['files'] == ['a']


def test_a_list_is_read_again_once_it_or_a_folder_has_changed(root, monkeypatch):
    from rexdense.datasets.classification import image_list

    sought = []
    find = image_list.find_files
    monkeypatch.setattr(
        image_list, 'find_files', lambda folder, names: sought.append(names) or find(folder, names)
    )

    def read(**arguments):
        names, files = image_list.read_image_list(
            root / 'list.txt', root / 'train', cache=root / 'cache', **arguments
        )
        return names, [files.path(i) for i in range(len(files))], files.labels.tolist()

    (root / 'list.txt').write_text('cat/0.png tom\ndog/1.png rex\n')
    wanted = ('rex', 'tom'), ['cat/0.png', 'dog/1.png'], [1, 0]
    assert read() == wanted and read() == wanted and len(sought) == 1
    # Classes are none of what is kept.
    assert read(classes=('tom', 'rex'))[2] == [0, 1] and len(sought) == 1
    (root / 'list.txt').write_text('cat/1.png tom\ndog/1.png rex\ndog/2.png rex\n')
    assert read()[1] == ['cat/1.png', 'dog/1.png', 'dog/2.png'] and len(sought) == 2
    (root / 'train' / 'dog' / '2.png').unlink()
    with pytest.raises(DataError, match=r'dog/2\.png'):
        read()


FOREIGN = ('@eaDir', '.ipynb_checkpoints', '__MACOSX', '.hidden')


@pytest.mark.parametrize('place', FOREIGN)
def test_folders_that_are_no_data_are_left_alone(root, place):
    before = scan_classes(root / 'train')
    write(root / 'train' / 'cat' / place / 'SYNO_THUMB.jpg')
    write(root / 'train' / 'cat' / 'inner' / place / 'deep' / '0-checkpoint.png')
    write(root / 'train' / place / '0.png')
    after = scan_classes(root / 'train')
    assert after[0] == before[0] and len(after[1]) == len(before[1]) == 10


def test_images_of_kinds_that_are_not_read_are_counted(root):
    for name in ('a.gif', 'b.jfif', 'c.JFIF', '.d.gif', 'notes.txt'):
        (root / 'train' / 'cat' / name).write_bytes(b'')
    cache = root / 'cache'
    for _ in range(2):
        assert scan_classes(root / 'train', cache=cache)[1].unread == {'.gif': 1, '.jfif': 2}


def test_a_folder_of_images_that_are_not_read_says_so(tmp_path):
    for index in range(3):
        (tmp_path / 'cat').mkdir(exist_ok=True)
        (tmp_path / 'cat' / f'{index}.jfif').write_bytes(b'')
    with pytest.raises(DataError, match=r'3 images are not read \(3 \.jfif\): save them as'):
        scan_classes(tmp_path)


@pytest.mark.parametrize('target', ['..', '.', '../../train', '../dog', '../dog/inner'])
def test_a_link_out_of_a_class_is_refused(root, target):
    (root / 'train' / 'dog' / 'inner').mkdir()
    (root / 'train' / 'cat' / 'loop').symlink_to(target)
    with pytest.raises(DataError, match=r'cat/loop is a link to .* take the link out'):
        scan_classes(root / 'train')


def test_links_to_other_places_are_followed(root):
    write(root / 'store' / 'more' / '7.png')
    (root / 'train' / 'cat' / 'more').symlink_to(root / 'store' / 'more')
    (root / 'train' / 'cow').symlink_to(root / 'store')
    names, files = scan_classes(root / 'train')
    assert names == ('cat', 'cow', 'dog', 'Ünï') and len(files) == 12


@pytest.mark.skipif(os.geteuid() != 0, reason='root alone can become another user')
@pytest.mark.parametrize('kept', ['train', 'train/a', 'train/a/in'])
def test_unreadable_folders_are_not_left_out_unsaid(kept):
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        for name in ('train/a/0.png', 'train/a/in/1.png', 'train/b/2.png'):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        root.chmod(0o755)
        (root / kept).chmod(0o700)
        os.seteuid(65534)
        try:
            for read in (scan_classes, images_below):
                said = rf'{kept} cannot be read \(Permission denied\): check its permissions'
                with pytest.raises(DataError, match=said):
                    read(root / 'train')
        finally:
            os.seteuid(0)
