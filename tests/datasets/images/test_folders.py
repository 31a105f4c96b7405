"""Which files of a folder are its images."""

import os
import tempfile
from pathlib import Path

import pytest

from rexdense.datasets.classification.file_index import class_folders
from rexdense.datasets.classification.shards import find_shards
from rexdense.datasets.images.folders import images_below
from rexdense.datasets.segmentation.folder import find_pairs
from rexdense.errors import DataError
from rexdense.tasks.prediction_files import find_images

NO_DATA = ('@eaDir/0.jpg', '.ipynb_checkpoints/0.png', '__MACOSX/in/0.png', '._0.jpg', '.git/0.png')


@pytest.fixture
def folder(tmp_path):
    """A hidden folder, whose images are data: it was named."""
    root = tmp_path / '.hidden' / 'images'
    for name in (
        *NO_DATA,
        *(f'in/{name}' for name in NO_DATA),
        '0.jpg',
        'in/1.PNG',
        'in/notes.txt',
    ):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b'')
    return root


def test_files_of_operating_systems_are_skipped(folder):
    assert images_below(folder) == [folder / '0.jpg', folder / 'in' / '1.PNG']
    assert images_below(folder, ('.txt',)) == [folder / 'in' / 'notes.txt']
    assert find_images(folder) == [folder / '0.jpg']


def test_folders_named_like_images_are_none(folder):
    """As programs that cut a slide into tiles name them."""
    tile = folder / 'slide.tif' / 'tile.png'
    tile.parent.mkdir()
    tile.write_bytes(b'')
    assert images_below(folder) == [folder / '0.jpg', folder / 'in' / '1.PNG', tile]
    assert find_images(folder) == [folder / '0.jpg']
    with pytest.raises(DataError, match='no image in'):
        find_images(folder.parent)


def test_label_maps_are_asked_for_of_images_alone(folder):
    labels = folder.parent / 'labels'
    for name in ('0.png', 'in/1.png'):
        (labels / name).parent.mkdir(parents=True, exist_ok=True)
        (labels / name).write_bytes(b'')
    assert len(find_pairs(folder, labels)) == 2


def test_a_link_to_itself_is_no_folder(tmp_path):
    for name in ('a/0.png', 'b/1.png'):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    for name in ('loop', 'loop.png', 'loop.tar'):
        (tmp_path / name).symlink_to(name)
    assert class_folders(tmp_path) == ('a', 'b')
    assert find_shards(tmp_path) == []
    # Loading says what is wrong with it, and goes on.
    assert find_images(tmp_path) == [tmp_path / 'loop.png']


@pytest.mark.skipif(os.geteuid() != 0, reason='root alone can become another user')
@pytest.mark.parametrize('read', [class_folders, find_images])
def test_a_link_to_what_another_user_keeps_to_himself_is_told(read):
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        for name in ('kept/a', 'train/b'):
            (root / name).mkdir(parents=True)
        (root / 'train/a').symlink_to(root / 'kept/a')
        root.chmod(0o755)
        (root / 'kept').chmod(0o700)
        os.seteuid(65534)
        try:
            with pytest.raises(DataError, match=r'train/a cannot be read \(Permission denied\)'):
                read(root / 'train')
        finally:
            os.seteuid(0)
