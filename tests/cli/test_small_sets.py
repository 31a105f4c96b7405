"""Training sets that are smaller than a batch, and masks of 0 and 255, end in one line."""

import pytest

pytest.importorskip('mmseg')

import numpy as np

from rexdense.cli import train
from rexdense.errors import DataError, InvalidArgument
from tests.small_segmentation import label_map, write_labels, write_segmentation
from tests.tiny_run import ROOT, SEGMENTATION_CONFIG, segmentation_arguments


def run(root, work_dir, *options):
    train.main([str(ROOT / SEGMENTATION_CONFIG), *segmentation_arguments(root, work_dir, *options)])


def test_fewer_images_than_a_batch(tmp_path):
    root = write_segmentation(tmp_path / 'set', train=5)
    with pytest.raises(
        InvalidArgument,
        match=r'^5 images on each device, fewer than a batch of 8, .*--batch-size 5',
    ):
        run(root, tmp_path / 'run', '--batch-size', '8')


@pytest.mark.parametrize('with_data_root', [True, False])
def test_masks_of_0_and_255(tmp_path, with_data_root):
    root = write_segmentation(tmp_path / 'set')
    (root / 'classes.txt').write_text('background\nobject\n')
    for split in ('train', 'val'):
        for path in (root / f'labels/{split}').iterdir():
            write_labels(path, (label_map(int(path.stem)) == 1).astype(np.uint8) * 255)
    options = []
    if not with_data_root:
        options = [
            '--cfg-options',
            'model.decode_head.num_classes=2',
            *(f'{part}_dataloader.dataset.data_root={root}' for part in ('train', 'val')),
        ]
    with pytest.raises(DataError, match=r'are of one class, .* are 255, which stands for void'):
        arguments = segmentation_arguments(root, tmp_path / 'run', *options)
        train.main([str(ROOT / SEGMENTATION_CONFIG), *arguments[0 if with_data_root else 2 :]])
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_void_must_be_the_same_everywhere(tmp_path):
    root = write_segmentation(tmp_path / 'set')
    with pytest.raises(
        InvalidArgument,
        match=r'^void is 1000 in the training data, but model\.decode_head\.ignore_index=255: set '
        r'--cfg-options model\.decode_head\.ignore_index=1000 model\.data_preprocessor\.seg_pad_val'
        r'=1000 val_evaluator\.ignore_index=1000$',
    ):
        for path in (root / 'labels').rglob('*.png'):
            labels = label_map(int(path.stem)).astype(np.uint16)
            labels[labels == 255] = 1000
            write_labels(path, labels)
        settings = [f'{part}_dataloader.dataset.ignore_index=1000' for part in ('train', 'val')]
        run(root, tmp_path / 'run', '--cfg-options', *settings)


@pytest.mark.slow
def test_void_above_255_is_trained_and_measured(tmp_path, capsys):
    root = write_segmentation(tmp_path / 'set')
    for path in (root / 'labels').rglob('*.png'):
        labels = label_map(int(path.stem)).astype(np.uint16)
        labels[labels == 255] = 1000
        write_labels(path, labels)
    places = [f'{part}_dataloader.dataset' for part in ('train', 'val', 'test')]
    places += ['model.decode_head', 'val_evaluator', 'test_evaluator']
    settings = [f'{place}.ignore_index=1000' for place in places]
    settings.append('model.data_preprocessor.seg_pad_val=1000')
    run(root, tmp_path / 'run', '--epochs', '1', '--cfg-options', *settings)
    assert 'mIoU' in capsys.readouterr().out
