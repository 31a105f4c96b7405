"""Mistakes of a user end in one clear line, and nothing is written over."""

import json
import re
import shutil

import pytest

pytest.importorskip('mmdet')

import torch

from rexdense.cli import predict, test, train
from rexdense.errors import (
    CheckpointMismatch,
    CheckpointUnreadable,
    DataError,
    InvalidArgument,
    RexdenseError,
    UnknownName,
)
from tests.small_coco import coco_content, write_coco
from tests.tiny_run import CONFIG, ROOT, run_arguments, train_arguments


def cut_off(root):
    file = root / 'annotations/train.json'
    file.write_text(file.read_text()[:200])


def no_coco(root):
    (root / 'annotations/train.json').write_text('[1, 2]')


def missing_images(root):
    for name in ('1.png', '3.png'):
        (root / 'images' / name).unlink()


def duplicate_ids(root):
    content = coco_content()
    content['annotations'][1]['id'] = 1
    write_coco(root, content)


def no_annotations(root):
    (root / 'annotations/train.json').unlink()


@pytest.mark.parametrize(
    ('spoil', 'options', 'expected'),
    [
        (None, ['--data-root', 'nowhere'], 'data root nowhere is not there; give the folder'),
        (None, ['--images', 'pictures'], 'pictures is not there; give the folder of the images'),
        (no_annotations, [], 'annotations/train.json'),
        (cut_off, [], 'annotations/train.json'),
        (no_coco, [], 'annotations/train.json'),
        (duplicate_ids, [], 'annotations/train.json'),
        (missing_images, [], '2 of its 3 images are missing in '),
        (None, ['--classes', 'bird'], "has no class 'bird', which was asked for"),
    ],
)
def test_data_that_cannot_be_used(tmp_path, spoil, options, expected):
    root = tmp_path / 'data'
    for split in ('train', 'val'):
        write_coco(root, split=split)
    if spoil:
        spoil(root)
    with pytest.raises(DataError, match=re.escape(expected)) as caught:
        train.main(train_arguments(root, tmp_path / 'run', *options))
    assert '\n' not in str(caught.value)
    assert not (tmp_path / 'run').exists()


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


@pytest.mark.parametrize(
    ('more', 'settings', 'kind', 'expected'),
    [
        (['--epoch', '3'], (), InvalidArgument, "unknown option '--epoch': did you mean '--epochs"),
        (['--lr', '0'], (), InvalidArgument, "--lr: '0': give a number above 0"),
        (['--scale', '64'], (), InvalidArgument, "--scale: '64' is no size: give width,height"),
        (['--device', 'gpu'], (), InvalidArgument, "device 'gpu': allowed are auto, cpu, cuda"),
        (['--launcher', 'pytorch'], (), InvalidArgument, 'start with torchrun --nproc-per-node N'),
        ([], ('lr',), InvalidArgument, 'lr: give KEY=VALUE, such as train_cfg.max_epochs=12'),
        ([], ('a=[1,(2]',), InvalidArgument, 'give KEY=VALUE, such as'),
        ([], ('model.nek.a=1',), UnknownName, "has no 'nek' there; did you mean 'neck'?"),
        (
            [],
            ('model.backbone.arch=rexnet_1.1',),
            UnknownName,
            "no backbone is called 'rexnet_1.1': did you mean 'rexnet_1.",
        ),
        (
            [],
            ('model.backbone.type=rexdense.RexNet',),
            UnknownName,
            "no model is called 'rexdense.RexNet': did you mean 'rexdense.RegNet' or 'rexdense.ReX",
        ),
        (
            [],
            ('model.neck.out_chanels=16',),
            InvalidArgument,
            "unexpected keyword argument 'out_chanels'; did you mean 'out_channels'",
        ),
        (
            [],
            ('model.backbone.width=2',),
            InvalidArgument,
            "takes no 'width': did you mean 'with_cp' or 'width_mult'?",
        ),
        (
            ['--load-from', 'nowhere.pth'],
            (),
            CheckpointUnreadable,
            'nowhere.pth is not there: check the path',
        ),
    ],
)
def test_options_that_do_not_fit(shapes, tmp_path, more, settings, kind, expected):
    with pytest.raises(kind, match=re.escape(expected)) as caught:
        train.main(train_arguments(shapes, tmp_path / 'run', *more, settings=settings))
    assert '\n' not in str(caught.value)
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_a_bug_is_not_hidden(shapes, tmp_path):
    with pytest.raises(TypeError, match='unsupported operand') as caught:
        train.main(train_arguments(shapes, tmp_path, settings=('model.neck.out_channels=[1]',)))
    assert not isinstance(caught.value, RexdenseError)


def test_unknown_config(tmp_path):
    with pytest.raises(UnknownName, match=r'no config file configs/rexnet/faster\.py: '):
        train.main(['configs/rexnet/faster.py'])


def test_work_dir_that_cannot_be_written(shapes, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(
        InvalidArgument,
        match=r'--work-dir .*/file/x cannot be written \(Not a directory\); choose another folder',
    ):
        train.main(train_arguments(shapes, tmp_path / 'file' / 'x'))


def cut_short(root, split):
    path = root / f'images/{split}/000001.png'
    path.write_bytes(path.read_bytes()[:900])


def no_image(root, split):
    (root / f'images/{split}/000001.png').write_text('no image')


def of_another_size(root, split):
    file = root / f'annotations/{split}.json'
    content = json.loads(file.read_text())
    content['images'][1].update(width=80, height=48)
    file.write_text(json.dumps(content))


@pytest.mark.parametrize('with_data_root', [True, False])
@pytest.mark.parametrize(
    ('spoil', 'split', 'expected'),
    [
        (cut_short, 'val', 'cannot be decoded: it is damaged or no image; replace it or take it'),
        (no_image, 'val', 'cannot be decoded: it is damaged or no image; replace it or take it'),
        (of_another_size, 'val', 'is 64 x 64 pixels (width x height), its annotation says 80 x 48'),
        (of_another_size, 'train', 'is 64 x 64 pixels (width x height), its annotation says 80 x'),
    ],
)
def test_images_are_looked_at_before_training(
    shapes, tmp_path, with_data_root, spoil, split, expected
):
    root = shutil.copytree(shapes, tmp_path / 'data')
    spoil(root, split)
    settings = (
        f'train_dataloader.dataset.data_root={root}',
        f'val_dataloader.dataset.data_root={root}',
        f'val_evaluator.ann_file={root}/annotations/val.json',
        'model.roi_head.bbox_head.num_classes=6',
    )
    arguments = train_arguments(root, tmp_path / 'run', settings=settings)
    if not with_data_root:
        place = arguments.index('--data-root')
        del arguments[place : place + 2]
    expected = re.escape(f'image {root}/images/{split}/000001.png {expected}')
    with pytest.raises(DataError, match=f'^{expected}') as caught:
        train.main(arguments)
    assert '\n' not in str(caught.value)
    assert not list((tmp_path / 'run').glob('*.pth'))
    assert with_data_root != (tmp_path / 'run').exists()


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


def test_no_training_image_can_be_decoded(shapes, tmp_path):
    root = shutil.copytree(shapes, tmp_path / 'data')
    for path in (root / 'images/train').iterdir():
        path.write_text('no image')
    with pytest.raises(DataError, match=r'none of the 6 images of \S+ can be used: image '):
        train.main(train_arguments(root, tmp_path / 'run'))


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


def test_a_split_of_a_coco_folder(trained, shapes, tmp_path):
    options = run_arguments(shapes, tmp_path / 'run', '--split', 'test')
    with pytest.raises(
        InvalidArgument, match=r'--split test goes with .* --val-annotations says which file is mea'
    ):
        test.main([str(ROOT / CONFIG), str(trained.checkpoint), *options])


@pytest.mark.parametrize(
    ('make', 'expected'),
    [
        (lambda folder: folder / 'nothing', 'nothing is not there; give an image or a folder'),
        (lambda folder: folder, 'no image in .*; looked for .jpg, .jpeg, .png'),
    ],
)
def test_no_images_to_predict(trained, tmp_path, make, expected):
    with pytest.raises(DataError, match=expected):
        predict.main(
            [str(trained.checkpoint), str(make(tmp_path)), '--out-dir', str(tmp_path / 'out')]
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


def test_predicting_with_weights_alone(trained, shapes, tmp_path):
    state = torch.load(trained.checkpoint, weights_only=False)['state_dict']
    torch.save(state, tmp_path / 'weights.pth')
    with pytest.raises(CheckpointUnreadable, match=r'weights\.pth holds no config; give a check'):
        predict.main(
            [
                str(tmp_path / 'weights.pth'),
                str(shapes / 'images/val/000000.png'),
                *('--out-dir', str(tmp_path / 'out')),
            ]
        )
