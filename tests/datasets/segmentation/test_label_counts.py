"""Label maps from which nothing can be learnt, and void labels of any number."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('mmcv')

from rexdense.datasets import SegmentationDataset
from rexdense.datasets.segmentation.folder import SegmentationFolder, summary
from rexdense.datasets.segmentation.label_counts import count_labels, require_two_classes_of_some
from rexdense.datasets.segmentation.label_maps import check_labels
from rexdense.errors import DataError, InvalidArgument
from tests.small_segmentation import CLASSES, HEIGHT, WIDTH, label_map, write_labels
from tests.small_segmentation import write_segmentation as write

LOAD = [dict(type='rexdense.LoadImage'), dict(type='rexdense.LoadSegmentationAnnotations')]


def write_masks(root, change, splits=('train', 'val'), classes=('background', 'object')):
    """Write label maps that ``change`` makes of masks of 0 and 1, and fewer classes."""
    write(root)
    (root / 'classes.txt').write_text('\n'.join(classes))
    for split in ('train', 'val'):
        for path in (root / f'labels/{split}').iterdir():
            mask = (label_map(int(path.stem)) == 1).astype(np.uint8)
            write_labels(path, change(mask) if split in splits else mask)
    return SegmentationFolder(root)


@pytest.mark.parametrize('classes', [('background', 'object'), ('background', 'cat', 'dog')])
def test_masks_of_0_and_255(tmp_path, classes):
    folder = write_masks(tmp_path, lambda mask: mask * 255, ('train',), classes)
    with pytest.raises(
        DataError,
        match=r"^all labelled pixels of train of \S+ are of one class, 0 \('background'\), so "
        r'nothing can be learnt; \d+\.\d% are 255, which stands for void: if those are the object, '
        r'save the maps with class indices, such as labels = \(mask == 255\) \* 1$',
    ):
        folder.check('train', training=True)


def test_masks_of_0_and_1_are_learnt_from(tmp_path):
    folder = write_masks(tmp_path, lambda mask: mask)
    assert min(folder.check('train', training=True).pixels) > 0


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            lambda mask: mask * 0,
            r"one class, 0 \('background'\), so .*; give the pixels of the oth",
        ),
        (lambda mask: mask * 0 + 1, r"one class, 1 \('object'\)"),
        (lambda mask: mask * 254 + 1, r"one class, 1 \('object'\), .*% are 255, which stands for"),
        (lambda mask: mask + 1, r'label 2 \(.*if these count from 1, subtract 1'),
        (lambda mask: mask * 128, r'label 128 \(.*save labels = \(mask == 128\) \* 1'),
        (lambda mask: mask * np.arange(WIDTH, dtype=np.uint8), 'number the objects, or are grey'),
        (lambda mask: mask * 255 | mask // 2 + 3, 'label 3'),
        (lambda mask: mask.astype(np.uint16) * 1000, r'label 1000 \(.*\(mask == 1000\) \* 1'),
        (lambda mask: np.dstack([mask * 255] * 3), '3 channels .*its colours are greys'),
        (lambda mask: np.dstack([mask * 255, mask, mask]), '3 channels .*give each pixel its cl'),
    ],
)
def test_labels_that_are_hardly_meant(tmp_path, change, message):
    with pytest.raises(DataError, match=message) as caught:
        write_masks(tmp_path, change).check('train', training=True)
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('void', [0, 255])
def test_a_validation_split_of_one_class_is_no_fault(tmp_path, void):
    folder = write_masks(tmp_path, lambda mask: mask * void, ('val',))
    checked = folder.check('val')
    assert checked.pixels[0] > checked.pixels[1] == 0
    table = summary(('background', 'object'), {'val': checked})
    assert "val has no pixel of 'object'." in table
    assert ('many are void: if those are an object' in table) == (void == 255)


@pytest.mark.parametrize('split', ['train', 'val'])
def test_a_split_that_is_void_all_over_is_refused(tmp_path, split):
    folder = write_masks(tmp_path, lambda mask: mask * 0 + 255)
    with pytest.raises(DataError, match=rf'all label maps of {split} of .* are void \(255\)'):
        folder.check(split, training=split == 'train')


def test_a_few_stray_pixels_do_not_hide_the_fault(tmp_path):
    def strayed(mask):
        labels = mask * 255
        labels[5, 5] = 1
        return labels

    folder = write_masks(tmp_path, strayed)
    table = summary(('background', 'object'), {'train': folder.check('train', training=True)})
    assert 'Next to all labelled pixels of train are of one class, and many are void' in table


def test_no_more_maps_are_read_than_it_takes(tmp_path):
    paths = []
    for number in range(200):
        paths.append(tmp_path / f'{number:03}.png')
        Image.fromarray(np.eye(4, dtype=np.uint8) * (number == 150)).save(paths[-1])
    require_two_classes_of_some(paths, ('a', 'b'), 'these')
    with pytest.raises(DataError, match='all labelled pixels of these are of one class'):
        require_two_classes_of_some(paths[:150], ('a', 'b'), 'these')
    assert count_labels(paths, 2, most=10).shape == (10, 3)


VOIDS = [255, 254, 1000, 65535, -1, -100]


@pytest.mark.parametrize('void', VOIDS)
def test_void_of_any_number_stays_void(tmp_path, void):
    root = write(tmp_path)
    for path in (root / 'labels/train').iterdir():
        labels = label_map(int(path.stem)).astype(np.int32)
        labels[0] = void
        if void < 0:
            # PNG has no negative numbers.
            labels[0] = 0
        Image.fromarray(labels.astype(np.uint16)).save(path)
    expected = WIDTH * 4 if void >= 0 else 0
    assert SegmentationFolder(root).check('train', void=void).void_pixels == expected
    prefix = dict(img_path='images/train', seg_map_path='labels/train')
    resize = dict(type='Resize', scale=(2 * WIDTH, 2 * HEIGHT), keep_ratio=True)
    flip = dict(type='RandomFlip', prob=1.0)
    data = SegmentationDataset(str(root), prefix, pipeline=[*LOAD, resize, flip], ignore_index=void)
    labels = data[0]['gt_seg_map']
    assert set(np.unique(labels).tolist()) == {0, 1, 2} | ({void} if void >= 0 else set())
    assert (labels == void).sum() == (4 * WIDTH if void >= 0 else 0)


@pytest.mark.parametrize('value', [-1, -7])
def test_negative_labels_are_no_class(value):
    labels = np.array([[0, 1], [value, 2]], np.int32)
    with pytest.raises(DataError, match=rf'has the label {value} \(25.0% of its pixels\)'):
        check_labels(labels, 3, 'a.tif')
    check_labels(labels, 3, 'a.tif', void=value)


def test_void_that_is_a_class(tmp_path):
    prefix = dict(img_path='images/train', seg_map_path='labels/train')
    with pytest.raises(InvalidArgument, match="ignore_index=2 is the label of the class 'dog'"):
        SegmentationDataset(str(write(tmp_path)), prefix, ignore_index=CLASSES.index('dog'))
