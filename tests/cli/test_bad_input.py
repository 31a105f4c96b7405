"""Mistakes of a user end in one clear line, and nothing is written over."""

import json
import shutil

import pytest

pytest.importorskip('mmdet')

import torch

from rexdense.cli import predict, test, train
from rexdense.errors import (
    CheckpointMismatch,
    DataError,
    InvalidArgument,
    RexdenseError,
)
from tests.small_coco import write_coco
from tests.tiny_run import CONFIG, ROOT, run_arguments, train_arguments


@pytest.mark.slow
def test_boxes_left_out_are_counted(shapes, tmp_path, capsys):
    root = shutil.copytree(shapes, tmp_path / 'data')
    file = root / 'annotations/train.json'
    content = json.loads(file.read_text())
    boxes = [[5, 5, 0, 9], [5, 5, -4, 9], [100, 100, 9, 9]]
    for entry, box in zip(content['annotations'], boxes, strict=False):
        entry['bbox'] = box
        # Else the box would be taken from it.
        del entry['segmentation']
    file.write_text(json.dumps(content))
    train.main(train_arguments(root, tmp_path / 'run'))
    left_out = [
        line.split()[-2:] for line in capsys.readouterr().out.splitlines() if 'left out' in line
    ]
    counts = [int(train_count) for train_count, _ in left_out if train_count.isdecimal()]
    assert sum(counts) == 3


def test_a_bug_is_not_hidden(shapes, tmp_path):
    with pytest.raises(TypeError, match='unsupported operand') as caught:
        train.main(train_arguments(shapes, tmp_path, settings=('model.neck.out_channels=[1]',)))
    assert not isinstance(caught.value, RexdenseError)


@pytest.mark.slow
def test_training_image_that_cannot_be_decoded(shapes, tmp_path, capsys):
    root = shutil.copytree(shapes, tmp_path / 'data')
    for name in ('000001', '000003'):
        (root / f'images/train/{name}.png').write_text('no image')
    train.main(train_arguments(root, tmp_path / 'run', '--epochs', '2', '--workers', '1'))
    output = capsys.readouterr().out
    beforehand = '2 of the 6 images of the training data are damaged, and training goes on without'
    assert output.index(beforehand) < output.index('Epoch(train)')
    told = '2 training images could not be used and were skipped; the log names them'
    # Once in the log after the epoch that met them, once above the metrics.
    assert output.count(told) == 2
    assert output.index(told, output.index('Epoch(val) [2]')) < output.index('\nmetric ')
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    for name in ('000001', '000003'):
        assert log.count(f'skipped: image {root}/images/train/{name}.png cannot be decoded') == 1


@pytest.mark.slow
def test_checkpoint_of_another_architecture(trained, shapes, tmp_path):
    options = run_arguments(shapes, tmp_path, settings=('model.backbone.arch=rexnet_1.3',))
    with pytest.raises(
        CheckpointMismatch,
        match=r'of another shape \(backbone\.stem\S+ \(32, 3, 3, 3\) where the model has \(',
    ):
        test.main([str(ROOT / CONFIG), str(trained.checkpoint), *options])


@pytest.mark.slow
def test_backbone_alone_from_a_detector(trained, shapes, tmp_path):
    for split in ('train', 'val'):
        write_coco(tmp_path / 'data', split=split)
    settings = (
        'model.backbone.init_cfg.type=rexdense.Pretrained',
        f'model.backbone.init_cfg.checkpoint={trained.checkpoint}',
    )
    more = ('--lr', '1e-12')
    train.main(train_arguments(tmp_path / 'data', tmp_path / 'run', *more, settings=settings))
    before, after = (
        torch.load(path, weights_only=False)['state_dict']
        for path in (trained.checkpoint, tmp_path / 'run/epoch_1.pth')
    )
    compared = [name for name in before if name.startswith('backbone') and name.endswith('weight')]
    assert len(compared) > 50
    for name in compared:
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=1e-3)


@pytest.mark.slow
def test_model_and_data_of_other_classes(shapes, tmp_path):
    arguments = train_arguments(
        shapes,
        tmp_path / 'run',
        settings=(
            f'train_dataloader.dataset.data_root={shapes}',
            f'val_dataloader.dataset.data_root={shapes}',
            f'val_evaluator.ann_file={shapes}/annotations/val.json',
        ),
    )
    place = arguments.index('--data-root')
    del arguments[place : place + 2]
    with pytest.raises(
        InvalidArgument,
        match='Shared2FCBBoxHead of the model has num_classes=80, the training data 6 classes'
        r' \(circle, square, triangle, star, ring, cross\): set num_classes in the config',
    ):
        train.main(arguments)
    reordered = shutil.copytree(shapes, tmp_path / 'data')
    file = reordered / 'annotations/val.json'
    content = json.loads(file.read_text())
    content['categories'].reverse()
    file.write_text(json.dumps(content))
    with pytest.raises(
        InvalidArgument,
        match=r'the classes of the validation data \(cross, .*\) are not those of the training data'
        r' \(circle, .*\) in the same order: state them in the config',
    ):
        train.main(
            [
                *arguments,
                'model.roi_head.bbox_head.num_classes=6',
                f'val_dataloader.dataset.data_root={reordered}',
            ]
        )


@pytest.mark.slow
def test_measuring_takes_the_classes_of_the_checkpoint(trained, shapes, tmp_path, capsys):
    reordered = shutil.copytree(shapes, tmp_path / 'data')
    file = reordered / 'annotations/val.json'
    content = json.loads(file.read_text())
    content['categories'].reverse()
    file.write_text(json.dumps(content))
    command = [str(ROOT / CONFIG), str(trained.checkpoint)]
    test.main([*command, *run_arguments(reordered, tmp_path / 'run')])
    table = trained.output[trained.output.index('\nmetric ') : trained.output.index('checkpoint ')]
    assert capsys.readouterr().out.endswith(table)
    with pytest.raises(
        InvalidArgument, match=r'the classes of the data \(cross, circle\) are not those of .*pth'
    ):
        test.main(
            [*command, *run_arguments(shapes, tmp_path / 'run', '--classes', 'cross', 'circle')]
        )


def test_images_that_cannot_be_decoded_are_left_out_of_predictions(trained, shapes, tmp_path):
    folder = shutil.copytree(shapes / 'images/val', tmp_path / 'images')
    (folder / '000002.png').write_text('no image')
    out = tmp_path / 'out'
    command = [str(trained.checkpoint), str(folder), '--device', 'cpu', '--out-dir']
    with pytest.raises(
        DataError, match=r'^1 of 4 images left out: image .*/000002\.png cannot be decoded'
    ):
        predict.main([*command, str(out)])
    names = ['000000.png', '000001.png', '000003.png']
    assert sorted(path.name for path in out.iterdir()) == [*names, 'predictions.json']
    assert len(json.loads((out / 'predictions.json').read_text())['images']) == 3
    with pytest.raises(InvalidArgument, match='is the folder of the images; choose another'):
        predict.main([*command, str(folder)])
