"""Folders of images and label maps: what is counted, and what is refused."""

import shutil

import numpy as np
import pytest
from PIL import ExifTags, Image

from rexdense.datasets.segmentation.folder import SegmentationFolder, find_pairs, summary
from rexdense.errors import DataError
from tests.shared_files import SHARED, needs_shared
from tests.small_segmentation import CLASSES, HEIGHT, WIDTH, label_map, write_labels
from tests.small_segmentation import write_segmentation as write


def test_pixels_are_counted_by_class(tmp_path):
    checked = SegmentationFolder(write(tmp_path)).check('train')
    expected = sum(np.bincount(label_map(index).ravel(), minlength=256) for index in range(4))
    assert checked.images == checked.maps_read == 4
    assert checked.pixels == tuple(expected[:3])
    assert checked.void_pixels == 4 * WIDTH
    assert checked.void_images == 0


def test_pairs_lie_in_folders_too(tmp_path):
    root = write(tmp_path)
    for kind in ('images', 'labels'):
        (root / kind / 'train/drive').mkdir()
        (root / kind / 'train/0.png').rename(root / kind / 'train/drive/0.png')
    pairs = find_pairs(root / 'images/train', root / 'labels/train')
    assert [image.name for image, _ in pairs] == ['1.png', '2.png', '3.png', '0.png']
    assert all(image.stem == labels.stem for image, labels in pairs)


@needs_shared
def test_camvid_has_the_shares_that_are_known_of_it():
    folder = SegmentationFolder(SHARED / 'data/camvid')
    table = summary(folder.classes().names, {'val': folder.check('val')})
    # data/README.md counts void with the pixels: 9.18 % of all are 9.34 % of the labelled.
    rows = dict(line.split() for line in table.splitlines()[1:])
    assert (rows['images'], rows['void']) == ('101', '1.7%')
    assert (rows['Sky'], rows['Pole'], rows['Bicyclist']) == ('9.3%', '0.6%', '2.3%')


def test_a_class_that_training_lacks_and_void_maps_are_told_of(tmp_path):
    root = write(tmp_path)
    for index in range(4):
        labels = np.minimum(label_map(index), 1) if index else np.full((HEIGHT, WIDTH), 255)
        write_labels(root / f'labels/train/{index}.png', labels.astype(np.uint8))
    folder = SegmentationFolder(root)
    table = summary(CLASSES, {split: folder.check(split) for split in ('train', 'val')})
    assert "train has no pixel of 'dog'." in table
    assert '1 of the maps of train are void all over' in table
    assert 'val has no pixel' not in table


def test_an_image_that_its_exif_turns_is_labelled_upright(tmp_path):
    root = write(tmp_path)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    stored = Image.open(root / 'images/train/0.png').rotate(90, expand=True)
    (root / 'images/train/0.png').unlink()
    stored.save(root / 'images/train/0.jpg', exif=exif)
    assert stored.size == (HEIGHT, WIDTH)
    assert SegmentationFolder(root).check('train').images == 4


def spoil_size(root):
    write_labels(root / 'labels/train/1.png', label_map(1)[:-1])


def spoil_value(root):
    labels = label_map(1)
    labels[1, :24] = 7
    write_labels(root / 'labels/train/1.png', labels)


def spoil_colours(root):
    write_labels(root / 'labels/train/1.png', label_map(1), 'RGB')


def void_all(root):
    for index in range(4):
        write_labels(root / f'labels/train/{index}.png', np.full((HEIGHT, WIDTH), 255, np.uint8))


def remove_label(root):
    (root / 'labels/train/2.png').unlink()


def remove_images(root):
    shutil.rmtree(root / 'images/train')
    (root / 'images/train').mkdir()


def single_class(root):
    (root / 'classes.txt').write_text('cell\n')


FAULTS = [
    (spoil_size, r'1.png is 48 x 39 pixels \(width x height\), its image 48 x 40'),
    (spoil_value, r'1.png has the label 7 \(1.2% of its pixels\), but there are 3 classes'),
    (spoil_colours, '1.png has 3 channels'),
    (void_all, 'are void'),
    (remove_label, r'1 of 4 images in .* have no label map .*first 2.png'),
    (remove_images, 'no image in'),
    (single_class, 'name the background too'),
    (lambda root: (root / 'classes.txt').unlink(), 'classes.txt cannot be read'),
    (lambda root: shutil.rmtree(root / 'labels'), 'labels/train is not there'),
    (shutil.rmtree, 'data root .* is not there'),
]


@pytest.mark.parametrize('spoil, message', FAULTS)
def test_folders_that_cannot_be_trained_on_are_refused(tmp_path, spoil, message):
    root = write(tmp_path / 'set')
    spoil(root)
    with pytest.raises(DataError, match=message):
        SegmentationFolder(root).check('train')
