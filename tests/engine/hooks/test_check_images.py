"""The look at all images before training."""

import io
import tarfile
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip('mmdet')

from mmengine.dataset import ConcatDataset

from rexdense.datasets.classification.dataset import ClassificationDataset
from rexdense.datasets.coco.dataset import CocoDataset
from rexdense.engine.hooks.images import CheckImages
from rexdense.errors import DataError
from tests.small_coco import write_coco

IMAGE = cv2.imencode('.png', np.zeros((8, 8, 3), np.uint8))[1].tobytes()


@pytest.mark.parametrize(('packed', 'told'), [(False, 1), (True, 0)])
def test_images_in_archives_are_looked_at_when_they_are_read(tmp_path, packed, told):
    (tmp_path / 'train').mkdir()
    files = {'a/0.png': IMAGE, 'a/1.png': b'no image', 'b/2.png': IMAGE}
    with tarfile.open(tmp_path / 'train' / '0.tar', 'w') as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    if not packed:
        with tarfile.open(tmp_path / 'train' / '0.tar') as archive:
            archive.extractall(tmp_path / 'train', filter='data')
    warnings = []
    data = ClassificationDataset(str(tmp_path), 'train')
    assert len(data) == 3
    runner = SimpleNamespace(
        train_dataloader=torch.utils.data.DataLoader(data),
        val_loop=None,
        logger=SimpleNamespace(warning=warnings.append),
    )
    CheckImages().before_train(runner)
    assert len(warnings) == told and all('1.png' in warning for warning in warnings)


def test_images_of_kinds_that_are_not_read_are_told_of(tmp_path):
    for name in ('train/a/0.png', 'train/b/1.png', 'train/b/2.jfif', 'train/b/3.gif'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(IMAGE)
    warnings = []
    runner = SimpleNamespace(
        train_dataloader=torch.utils.data.DataLoader(ClassificationDataset(str(tmp_path), 'train')),
        val_loop=None,
        logger=SimpleNamespace(warning=warnings.append),
    )
    CheckImages().before_train(runner)
    said = 'the training data: 2 images are not read (1 .gif, 1 .jfif): save them as .jpg or .png'
    assert [sorted(warning) for warning in warnings] == [sorted(said)]


def test_a_class_of_which_all_images_are_damaged_stops_the_run(tmp_path):
    """Though they are less than the share that may be left out."""
    for place in range(30):
        path = tmp_path / f'train/{"ab"[place % 2]}/{place}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(IMAGE)
    (tmp_path / 'train/c').mkdir()
    (tmp_path / 'train/c/0.png').write_bytes(b'no image')
    data = ClassificationDataset(str(tmp_path), 'train')
    runner = SimpleNamespace(
        train_dataloader=torch.utils.data.DataLoader(data), val_loop=None, logger=None
    )
    with pytest.raises(DataError, match=r"of 1 of the 3 classes .*, 'c' among them: .*c/0\.png"):
        CheckImages().before_train(runner)


def test_a_class_is_there_if_one_of_the_data_sets_together_has_images_of_it(tmp_path):
    warnings = []
    for name in ('one', 'two'):
        for folder in 'ab':
            path = tmp_path / f'{name}/train/{folder}/0.png'
            path.parent.mkdir(parents=True)
            path.write_bytes(b'no image' if (name, folder) == ('one', 'a') else IMAGE)
    parts = [ClassificationDataset(str(tmp_path / name), 'train') for name in ('one', 'two')]
    runner = SimpleNamespace(
        train_dataloader=torch.utils.data.DataLoader(ConcatDataset(parts)),
        val_loop=None,
        logger=SimpleNamespace(warning=warnings.append),
    )
    CheckImages().before_train(runner)
    assert len(warnings) == 1 and 'one/train/a/0.png' in warnings[0]
    (tmp_path / 'two/train/a/0.png').write_bytes(b'no image')
    with pytest.raises(DataError, match=r"of 1 of the 2 classes .*, 'a' among them: .*one/"):
        CheckImages().before_train(runner)


@pytest.mark.parametrize('with_seg', [False, True])
def test_label_maps_that_are_not_read_need_not_be_there(tmp_path, with_seg):
    """As those of mmdet's configs of Mask2Former, whose base has panoptic maps."""
    write_coco(tmp_path)
    data = CocoDataset(
        ann_file='annotations/train.json',
        data_root=str(tmp_path),
        data_prefix=dict(img='images/', seg='annotations/panoptic'),
        pipeline=[dict(type='mmdet.LoadAnnotations', with_bbox=True, with_seg=with_seg)],
    )
    runner = SimpleNamespace(
        train_dataloader=SimpleNamespace(dataset=data),
        val_loop=None,
        logger=SimpleNamespace(warning=print),
    )
    if with_seg:
        with pytest.raises(DataError, match=r'panoptic/3\.png cannot be read'):
            CheckImages().before_train(runner)
    else:
        CheckImages().before_train(runner)
