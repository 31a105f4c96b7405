"""Training a classifier on an image folder, as a user starts it."""

import shutil

import pytest

pytest.importorskip('mmdet')

import torch

from rexdense.cli import train
from rexdense.engine.trained.file import read_training_file
from rexdense.visualization.scalars import read_scalars
from tests.small_classification import (
    CLASSES,
    CONFIG,
    classification_arguments,
    write_classification,
    write_images,
)
from tests.tiny_run import ROOT


def run(root, work_dir, *more, settings=()):
    arguments = classification_arguments(root, work_dir, *more, settings=settings)
    train.main([str(ROOT / CONFIG), *arguments])


def losses(work_dir):
    return [(row['step'], row['loss'], row['lr']) for row in read_scalars(work_dir).training]


@pytest.mark.slow
def test_it_learns_colours(tmp_path, capsys):
    root = write_classification(tmp_path / 'set', train=8)
    settings = ('train_dataloader.dataset.pipeline.2.policy=rand-m0-n1-p0.0',)
    run(root, tmp_path / 'run', '--epochs', '14', '--lr', '0.02', '--seed', '0', settings=settings)
    output = capsys.readouterr().out
    assert ['images', '24', '6'] in map(str.split, output.splitlines())
    assert '3 classes: blue, green, red' in output
    assert read_scalars(tmp_path / 'run').validation[-1]['classification/top1'] == 1
    assert read_training_file(tmp_path / 'run/epoch_14.pth').classes == CLASSES
    for name in ('curves.png', 'predictions.png'):
        assert (tmp_path / 'run' / name).is_file()


@pytest.mark.parametrize(
    ('workers', 'settings'), [('0', ()), ('2', ('optim_wrapper.accumulative_counts=2',))]
)
def test_an_interrupted_run_goes_on_with_the_same_losses(tmp_path, workers, settings):
    """To the last digit, dropout, mixup and augmentation included."""
    # Four steps an epoch, which two steps of accumulation divide.
    root = write_classification(tmp_path / 'set', train=6)
    settings = (
        *settings,
        'default_hooks.logger.interval=1',
        'default_hooks.checkpoint.max_keep_ckpts=5',
        'model.batch_augments.type=rexdense.BatchMix',
        'model.batch_augments.mixup=0.2',
        'model.batch_augments.cutmix=1.0',
        'model.backbone.drop_path_rate=0.2',
    )
    more = ('--epochs', '3', '--seed', '3', '--workers', workers)
    run(root, tmp_path / 'whole', *more, settings=settings)
    expected = losses(tmp_path / 'whole')
    shutil.copytree(tmp_path / 'whole', tmp_path / 'cut')
    for epoch in (2, 3):
        (tmp_path / f'cut/epoch_{epoch}.pth').unlink()
    for folder in (tmp_path / 'cut').glob('2*'):
        shutil.rmtree(folder)
    run(root, tmp_path / 'cut', *more, '--resume', settings=settings)
    assert len(expected) == len({loss for _, loss, _ in expected}) == 12
    assert losses(tmp_path / 'cut') == expected[4:]
    whole, cut = (read_training_file(tmp_path / name / 'epoch_3.pth') for name in ('whole', 'cut'))
    assert all((tensor == cut.state[name]).all() for name, tensor in whole.state.items())


def test_a_damaged_image_is_skipped_and_counted(tmp_path, capsys):
    root = write_classification(tmp_path / 'set')
    (root / 'train/red/1.png').write_bytes(b'no image')
    run(root, tmp_path / 'run', '--epochs', '1')
    assert '1 training image could not be used and was skipped' in capsys.readouterr().out


def test_weights_of_another_number_of_classes_are_fine_tuned(tmp_path, capsys):
    root = write_classification(tmp_path / 'set')
    run(root, tmp_path / 'run', '--epochs', '1')
    write_images(root / 'train/white', 4, (240, 240, 240))
    capsys.readouterr()
    trained = str(tmp_path / 'run/epoch_1.pth')
    run(root, tmp_path / 'next', '--epochs', '1', '--load-from', trained)
    assert 'all is taken but 2 tensors of layers for 3 classes, which start anew for 4' in (
        capsys.readouterr().out
    )


def test_mixed_precision(tmp_path):
    root = write_classification(tmp_path / 'set')
    run(root, tmp_path / 'run', '--epochs', '1', '--amp')
    assert len(read_scalars(tmp_path / 'run').training) == 1


def test_the_options_of_a_recipe_work_together(image_folder, tmp_path, capsys):
    """Averaged weights, mixed precision, accumulation and repeated augmentation."""
    settings = (
        'custom_hooks.0.type=EMAHook',
        'custom_hooks.0.momentum=0.5',
        'optim_wrapper.accumulative_counts=2',
        'train_dataloader.sampler.type=rexdense.RepeatedSampler',
        'train_dataloader.sampler.repeats=2',
        'default_hooks.logger.interval=1',
    )
    more = ('--epochs', '2', '--seed', '0', '--amp')
    arguments = classification_arguments(image_folder, tmp_path, *more, settings=settings)
    recipe = 'configs/classification/rexnet/rexnet-1.0_clovaai_imagenet.py'
    train.main([str(ROOT / recipe), *arguments])
    output = capsys.readouterr().out
    assert (
        "Learning rate 0.00781 for 8 images a step, SGD: the config's 0.5 for 512 images a step, "
        'scaled in proportion' in output
    )
    assert len(losses(tmp_path)) == 6
    content = torch.load(tmp_path / 'epoch_2.pth', weights_only=False)
    averaged = content['state_dict']['backbone.stem.conv.weight']
    last = content['ema_state_dict']['module.backbone.stem.conv.weight']
    assert averaged.shape == last.shape and not torch.equal(averaged, last)
