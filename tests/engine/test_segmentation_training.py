"""Training a U-Net on a folder of label maps, as a user starts it."""

import shutil

import cv2
import numpy as np
import pytest

pytest.importorskip('mmseg')

from rexdense.cli import train
from rexdense.engine.trained.file import read_training_file
from rexdense.errors import DataError, InvalidArgument, UnknownName
from rexdense.visualization.scalars import read_scalars
from tests.small_segmentation import CLASSES, label_map, write_labels
from tests.small_segmentation import write_segmentation as write
from tests.tiny_run import NARROW, ROOT, SHALLOW

CONFIG = ROOT / 'configs/unet/unet_rexnet-1.0_custom.py'


def arguments(data_root, work_dir, *more, settings=(), narrow=(NARROW, SHALLOW)):
    return [
        *(str(CONFIG), '--data-root', str(data_root), '--work-dir', str(work_dir)),
        *('--device', 'cpu', '--scale', '64,64', '--batch-size', '2', '--workers', '0'),
        *('--epochs', '1', '--seed', '0', *more),
        *(('--cfg-options', *narrow, *settings) if narrow or settings else ()),
    ]


def test_one_epoch_from_the_command_line(tmp_path, capsys):
    root = write(tmp_path / 'set')
    train.main(arguments(root, tmp_path / 'run'))
    output = capsys.readouterr().out
    assert ['images', '4', '2'] in map(str.split, output.splitlines())
    assert 'OneDL' not in output
    (validation,) = read_scalars(tmp_path / 'run').validation
    assert 0 <= validation['segmentation/mIoU'] <= 1
    file = read_training_file(tmp_path / 'run/epoch_1.pth')
    assert file.classes == CLASSES
    assert file.state['decode_head.decoder.outputs.1.conv.weight'].shape[0] == len(CLASSES)


def test_a_damaged_image_is_skipped_and_counted(tmp_path, capsys):
    root = write(tmp_path / 'set', train=5)
    (root / 'images/train/1.png').write_bytes(b'no image')
    train.main(arguments(root, tmp_path / 'run'))
    assert '1 training image could not be used and was skipped' in capsys.readouterr().out


def test_tiny_grey_deep_and_void_images_are_trained_on(tmp_path, capsys):
    root = write(tmp_path / 'set')
    images = root / 'images/train'
    random = np.random.default_rng(0)
    for name, (height, width) in {'0': (7, 9), '1': (31, 17)}.items():
        write_labels(root / f'labels/train/{name}.png', label_map(0)[:height, :width])
        grey = random.integers(0, 65536, (height, width)).astype(np.uint16)
        cv2.imwrite(str(images / f'{name}.png'), grey if name == '0' else grey.astype(np.uint8))
    write_labels(root / 'labels/train/2.png', np.full_like(label_map(2), 255))
    train.main(arguments(root, tmp_path / 'run', '--scale', '20,16'))
    assert '1 of the maps of train are void all over' in capsys.readouterr().out
    (validation,) = read_scalars(tmp_path / 'run').validation
    assert 0 <= validation['segmentation/mIoU'] <= 1


def test_another_backbone_takes_the_head_along(tmp_path):
    root = write(tmp_path / 'set')
    settings = ['model.backbone.type=rexdense.RegNet', 'model.backbone.arch=regnetx_200mf']
    train.main(arguments(root, tmp_path / 'run', settings=settings, narrow=()))
    state = read_training_file(tmp_path / 'run/epoch_1.pth').state
    assert state['decode_head.decoder.outputs.32.weight'].shape[1] == 368


def test_one_output_channel_for_two_classes(tmp_path):
    root = write(tmp_path / 'set')
    (root / 'classes.txt').write_text('background\nanimal\n')
    for path in (root / 'labels').rglob('*.png'):
        write_labels(path, np.minimum(label_map(0), 1))
    settings = [
        'model.decode_head.out_channels=1',
        'model.decode_head.loss_decode.use_sigmoid=True',
    ]
    train.main(arguments(root, tmp_path / 'run', settings=settings))
    state = read_training_file(tmp_path / 'run/epoch_1.pth').state
    assert state['decode_head.decoder.outputs.1.conv.weight'].shape[0] == 1
    (validation,) = read_scalars(tmp_path / 'run').validation
    assert 0 <= validation['segmentation/mIoU'] <= 1


def other_size(root):
    write_labels(root / 'labels/val/1.png', label_map(1)[:-1])


def other_value(root):
    write_labels(root / 'labels/val/1.png', np.full_like(label_map(1), 9))


def colours(root):
    write_labels(root / 'labels/train/1.png', label_map(1), 'RGB')


FOLDERS = [
    (other_size, r'labels/val/1\.png is 48 x 39 pixels'),
    (other_value, r'labels/val/1\.png has the label 9 \(100.0% of its pixels\)'),
    (colours, r'labels/train/1\.png has 3 channels'),
    (lambda root: (root / 'classes.txt').write_text('cell'), 'name the background too'),
    (lambda root: (root / 'classes.txt').unlink(), r'classes\.txt cannot be read'),
    (lambda root: (root / 'labels/train/1.png').unlink(), '1 of 4 images .* have no label map'),
    (lambda root: shutil.rmtree(root / 'images'), 'images/train is not there'),
    (shutil.rmtree, 'data root .* is not there'),
]


@pytest.mark.parametrize('spoil, message', FOLDERS)
def test_folders_that_cannot_be_used(tmp_path, spoil, message):
    root = write(tmp_path / 'set')
    spoil(root)
    with pytest.raises(DataError, match=message):
        train.main(arguments(root, tmp_path / 'run'))
    assert not (tmp_path / 'run').exists()


OPTIONS = [
    (['--classes', 'cat'], (), InvalidArgument, '--classes goes with folders in COCO form'),
    (['--images', 'a'], (), InvalidArgument, '--images goes with folders in COCO form'),
    (
        [],
        ['model.decode_head.scale_weight=[1,2]'],
        InvalidArgument,
        "MultiScaleUNetHead takes no 'scale_weight': did you mean 'scale_weights'",
    ),
    ([], ['model.decode_head.predict_weights=1'], InvalidArgument, 'give a list of numbers'),
    ([], ['model.decode_head.output_strides=[1,3]'], InvalidArgument, 'allowed are 1, 2, 4, 8, 16'),
    ([], ['model.decode_head.arch=rexnet_1.1'], UnknownName, 'rexnet_1.0'),
]


@pytest.mark.parametrize('more, settings, error, message', OPTIONS)
def test_options_that_do_not_go(tmp_path, more, settings, error, message):
    root = write(tmp_path / 'set')
    with pytest.raises(error, match=message):
        train.main(arguments(root, tmp_path / 'run', *more, settings=settings))


def test_a_label_map_spoilt_after_the_check_stops_the_run(tmp_path, monkeypatch):
    root = write(tmp_path / 'set')
    use_data_root = train.apply_training_options

    def spoil(*settings):
        for index in range(4):
            write_labels(root / f'labels/train/{index}.png', np.full_like(label_map(1), 9))
        return use_data_root(*settings)

    monkeypatch.setattr(train, 'apply_training_options', spoil)
    with pytest.raises(DataError, match=r'labels/train/\d.png has the label 9'):
        train.main(arguments(root, tmp_path / 'run'))


def test_no_image_can_be_decoded(tmp_path):
    root = write(tmp_path / 'set')
    for index in range(4):
        (root / f'images/train/{index}.png').write_bytes(b'no image')
    with pytest.raises(DataError, match=r'none of the 4 images of train .* can be used'):
        train.main(arguments(root, tmp_path / 'run'))
