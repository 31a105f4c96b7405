"""Lists of files in arrays, and kept between runs."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from rexdense.datasets.classification.file_index import FileIndex, scan_classes
from rexdense.datasets.classification.listing_cache import ListingCache


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
