"""Images with label maps as mmseg's pipelines get them."""

import logging
import pickle

import cv2
import numpy as np
import pytest
from PIL import Image

pytest.importorskip('mmcv')

from rexdense.datasets import SegmentationDataset
from rexdense.datasets.images.files import ImageError, UnreadableImage
from rexdense.datasets.segmentation.class_list import class_colours
from rexdense.errors import DataError
from tests.small_segmentation import CLASSES, HEIGHT, WIDTH, label_map, write_labels
from tests.small_segmentation import write_segmentation as write

LOAD = [dict(type='rexdense.LoadImage'), dict(type='rexdense.LoadSegmentationAnnotations')]


def dataset(root, split='train', pipeline=LOAD, **arguments):
    prefix = dict(img_path=f'images/{split}', seg_map_path=f'labels/{split}')
    return SegmentationDataset(str(root), prefix, pipeline=pipeline, **arguments)


def test_samples_hold_image_and_labels(tmp_path):
    data = dataset(write(tmp_path))
    assert len(data) == 4
    assert data.metainfo['classes'] == CLASSES
    assert data.metainfo['palette'] == class_colours(CLASSES)
    for index in range(4):
        sample = data[index]
        assert sample['img'].shape == (HEIGHT, WIDTH, 3)
        assert np.array_equal(sample['gt_seg_map'], label_map(index))
        assert sample['gt_seg_map'].dtype == np.uint8
        assert sample['seg_fields'] == ['gt_seg_map']


def test_mmsegs_transforms_take_them(tmp_path):
    pytest.importorskip('mmseg')
    steps = [
        *LOAD,
        dict(type='RandomResize', scale=(64, 64), ratio_range=(0.75, 2.0), keep_ratio=True),
        dict(type='mmseg.RandomCrop', crop_size=(32, 32), cat_max_ratio=0.75),
        dict(type='RandomFlip', prob=0.5),
        dict(type='mmseg.PhotoMetricDistortion'),
        dict(type='mmseg.PackSegInputs'),
    ]
    sample = dataset(write(tmp_path), pipeline=steps)[0]
    assert sample['inputs'].shape == (3, 32, 32)
    assert sample['data_samples'].gt_sem_seg.data.shape == (1, 32, 32)


def test_classes_of_the_config_come_first(tmp_path):
    root = write(tmp_path)
    (root / 'classes.txt').unlink()
    data = dataset(root, metainfo=dict(classes=('a', 'b', 'c'), palette=[(1, 2, 3)] * 3))
    assert data.metainfo['classes'] == ('a', 'b', 'c')
    with pytest.raises(DataError, match=r'classes\.txt cannot be read'):
        dataset(root)


def test_grey_16_bit_and_transparent_images(tmp_path):
    root = write(tmp_path)
    grey = np.tile(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))
    cv2.imwrite(str(root / 'images/train/0.png'), grey)
    cv2.imwrite(str(root / 'images/train/1.png'), grey.astype(np.uint16) * 257)
    cv2.imwrite(str(root / 'images/train/2.png'), np.dstack([grey] * 3 + [np.full_like(grey, 9)]))
    data = dataset(root)
    for index in range(3):
        assert np.array_equal(data[index]['img'], np.dstack([grey] * 3))


def test_images_under_32_pixels(tmp_path):
    root = write(tmp_path)
    labels = label_map(0)[:7, :9]
    write_labels(root / 'labels/train/0.png', labels)
    Image.new('RGB', (9, 7)).save(root / 'images/train/0.png')
    assert dataset(root)[0]['gt_seg_map'].shape == (7, 9)


@pytest.mark.parametrize(
    'labels, mode, message',
    [
        (label_map(0)[:-1], None, r'is 48 x 39 pixels \(width x height\), its image 48 x 40'),
        (np.minimum(label_map(0), 3) + 3, None, 'has the label 3 .*but there are 3 classes'),
        (label_map(0), 'RGB', '3 channels'),
    ],
)
def test_label_maps_that_cannot_be_used_are_named_on_their_way(tmp_path, labels, mode, message):
    root = write(tmp_path)
    write_labels(root / 'labels/train/0.png', labels.astype(np.uint8), mode)
    with pytest.raises(ImageError, match=f'labels/train/0.png.*{message}'):
        dataset(root)[0]


def test_a_missing_label_map_is_named(tmp_path):
    root = write(tmp_path)
    data = dataset(root)
    (root / 'labels/train/0.png').unlink()
    with pytest.raises(ImageError, match=r'labels/train/0\.png cannot be read'):
        data[0]


def test_a_damaged_training_image_is_replaced_and_counted(tmp_path, caplog, fresh_mmengine):
    root = write(tmp_path)
    (root / 'images/train/2.png').write_bytes(b'no image')
    data = dataset(root)
    with caplog.at_level(logging.WARNING):
        assert data[2]['img'].shape == (HEIGHT, WIDTH, 3)
        data[2]
    assert data.skipped_images == 1
    (root / 'images/val/0.png').write_bytes(b'no image')
    with pytest.raises(UnreadableImage, match=r'0\.png'):
        dataset(root, 'val', test_mode=True)[0]


def test_it_goes_to_other_processes(tmp_path):
    data = pickle.loads(pickle.dumps(dataset(write(tmp_path))))
    assert np.array_equal(data[1]['gt_seg_map'], label_map(1))
