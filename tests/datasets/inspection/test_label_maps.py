"""Folders of label maps and of classes are looked through and copied."""

import shutil

import cv2
import numpy as np
import pytest

from rexdense.datasets.inspection.class_folders import inspect_class_folders, is_class_folders
from rexdense.datasets.inspection.copies import write_file_copy
from rexdense.datasets.inspection.label_maps import inspect_label_maps, is_label_maps
from rexdense.datasets.inspection.sources import recognised
from rexdense.errors import DataError
from tests.shared_files import SHARED, needs_shared
from tests.small_formats import HEIGHT, WIDTH, write_image


def write_map(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = np.full((HEIGHT, WIDTH), values[0], np.uint8)
    for place, value in enumerate(values[1:]):
        labels[:, 10 * place : 10 * place + 10] = value
    assert cv2.imwrite(str(path), labels)


@pytest.fixture
def label_maps(tmp_path):
    """Four images to train on and two to validate, of ground and trees."""
    root = tmp_path / 'maps'
    for number in range(6):
        split = 'train' if number < 4 else 'val'
        write_image(root / f'images/{split}/{number}.jpg', number)
        write_map(root / f'labels/{split}/{number}.png', (0, 1, 255))
    (root / 'classes.txt').write_text('ground\ntree\n')
    return root


def suspicious(report):
    return sorted((each.what, each.split, each.image) for each in report.suspicions)


def test_label_maps_in_order(label_maps):
    assert recognised(label_maps) is None and is_label_maps(label_maps)
    report = inspect_label_maps(label_maps)
    pixels = HEIGHT * 10
    assert report.counts['val'] == {'ground': 2 * (HEIGHT * WIDTH - 2 * pixels), 'tree': 2 * pixels}
    assert report.figures['train'] == dict(
        void_pixels=4 * pixels, images_with_class={'ground': 4, 'tree': 4}
    )
    assert report.suspicions == []


def test_label_maps_that_are_suspicious(label_maps):
    labels, images = label_maps / 'labels/train', label_maps / 'images/train'
    write_map(labels / '0.png', (0, 2))
    write_map(labels / '1.png', (255,))
    (labels / '2.png').unlink()
    write_map(labels / '3.png', (0,))
    for number, values in ((6, (0, 1)), (7, (0, 1)), (8, (0, 1))):
        write_image(images / f'{number}.png', number)
        write_map(labels / f'{number}.png', values)
    assert cv2.imwrite(str(labels / '6.png'), np.zeros((4, 4), np.uint8))
    (images / '7.png').write_text('no image')
    shutil.copy(label_maps / 'images/val/4.jpg', images / '9.jpg')
    write_map(labels / '9.png', (0, 1))
    report = inspect_label_maps(label_maps)
    assert suspicious(report) == [
        ('damaged image', 'train', '7.png'),
        ('image in two splits', 'train', '9.jpg'),
        ('label map of one class all over', 'train', '3.jpg'),
        ('label map that cannot be used', 'train', '0.jpg'),
        ('label map that cannot be used', 'train', '2.jpg'),
        ('label map that cannot be used', 'train', '6.png'),
        ('label map that is void all over', 'train', '1.jpg'),
    ]
    out = label_maps.parent / 'out'
    assert write_file_copy(label_maps, report, out) == {'train': 2, 'val': 2}
    fixed = inspect_label_maps(out)
    assert [entry.name for entry in fixed.images['train']] == ['3.jpg', '8.png']
    assert suspicious(fixed) == [('label map of one class all over', 'train', '3.jpg')]
    assert (out / 'classes.txt').read_text() == 'ground\ntree\n'


def test_a_damaged_image_is_reported_once_whatever_its_name(label_maps):
    name = 'its image.png'
    (label_maps / 'images/train' / name).write_text('no image')
    write_map(label_maps / 'labels/train' / name, (0, 1))
    assert suspicious(inspect_label_maps(label_maps)) == [('damaged image', 'train', name)]


def test_masks_of_0_and_255_are_of_one_class(label_maps):
    for number in range(4):
        write_map(label_maps / f'labels/train/{number}.png', (0, 255))
    (suspicion,) = inspect_label_maps(label_maps).suspicions
    assert (suspicion.what, suspicion.split) == ('split of one class', 'train')
    assert 'labels = (mask == 255) * 1' in suspicion.detail


def test_other_files_beside_label_maps_and_two_images_of_one(label_maps, tmp_path):
    """No archive is copied, and no link to what lies elsewhere but the names of the classes."""
    write_image(label_maps / 'images/train/0.png', 7)
    (tmp_path / 'secret.txt').write_text('secret')
    (label_maps / 'notes.txt').symlink_to(tmp_path / 'secret.txt')
    (label_maps / 'classes.txt').rename(tmp_path / 'names.txt')
    (label_maps / 'classes.txt').symlink_to(tmp_path / 'names.txt')
    (label_maps / 'README.md').write_text('about')
    with open(label_maps / 'all.zip', 'wb') as archive:
        archive.truncate(17 * 2**20)
    out = tmp_path / 'out'
    written = write_file_copy(label_maps, inspect_label_maps(label_maps), out)
    assert written == {'train': 5, 'val': 2}
    beside = {path.name: path.read_text() for path in out.iterdir() if path.is_file()}
    assert beside == {'README.md': 'about', 'classes.txt': 'ground\ntree\n'}
    assert len(list(out.glob('labels/train/*'))) == 4


def test_class_folders_with_nearly_the_same_name(tmp_path):
    for place, name in enumerate(('cat', 'Cat', 'dog')):
        write_image(tmp_path / 'train' / name / '0.png', place)
    report = inspect_class_folders(tmp_path)
    (alike,) = (each for each in report.suspicions if 'alone' in each.what)
    assert alike.detail == "'Cat', 'cat'"


def test_classes(tmp_path):
    root = tmp_path / 'classes'
    for split, names in (('train', ('cat', 'dog')), ('val', ('cat', 'bird'))):
        for place, name in enumerate(names):
            for number in range(3):
                write_image(root / split / name / f'{number}.png', 10 * place + number)
    shutil.rmtree(root / 'val/cat')
    shutil.copytree(root / 'train/cat', root / 'val/cat')
    (root / 'train/dog/1.png').write_text('no image')
    assert recognised(root) is None and is_class_folders(root)
    report = inspect_class_folders(root)
    assert report.counts == {'train': {'cat': 3, 'dog': 3}, 'val': {'bird': 3, 'cat': 3}}
    twice = [('image in two splits', 'train', f'train/cat/{number}.png') for number in range(3)]
    # Seeds 10 and 12 are those of dogs to train on and of birds.
    twice += [('image in two splits', 'train', f'train/dog/{number}.png') for number in (0, 2)]
    assert suspicious(report) == sorted(
        [
            *(('class of few images', 'train', ''),) * 2,
            ('class that train does not have', 'val', ''),
            ('damaged image', 'train', 'train/dog/1.png'),
            *twice,
        ]
    )
    with pytest.raises(DataError, match='no image of train is left of 6'):
        write_file_copy(root, report, tmp_path / 'out')
    write_image(root / 'train/dog/new.png', 99)
    written = write_file_copy(root, inspect_class_folders(root), tmp_path / 'out')
    assert written == {'train': 1, 'val': 6}
    assert (tmp_path / 'out/train/dog/new.png').is_file()


@needs_shared
def test_street_scenes(tmp_path):
    """The shares of the README of the data, in percent of all pixels."""
    data = SHARED / 'data/camvid'
    for folder in ('images', 'labels'):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'val').symlink_to(data / folder / 'val')
    shutil.copy(data / 'classes.txt', tmp_path)
    report = inspect_label_maps(tmp_path)
    counts, figures = report.counts['val'], report.figures['val']
    total = sum(counts.values()) + figures['void_pixels']
    shares = [f'{100 * count / total:.2f}' for count in (*counts.values(), figures['void_pixels'])]
    row = f'| val | 101 | {" | ".join(shares)} |'
    assert row in (SHARED / 'data/README.md').read_text().splitlines()
    assert report.suspicions == []
