"""Mistakes in image folders, lists and options of classifiers end in one clear line."""

import shutil

import pytest

pytest.importorskip('mmdet')

from rexdense.cli import test, train
from rexdense.errors import DataError, InvalidArgument
from tests.small_classification import CONFIG, classification_arguments, write_images
from tests.tiny_run import ROOT


@pytest.fixture
def root(image_folder, tmp_path):
    """A folder of its own."""
    return shutil.copytree(image_folder, tmp_path / 'set')


def run(root, work_dir, *more, settings=()):
    arguments = classification_arguments(root, work_dir, '--epochs', '1', *more, settings=settings)
    train.main([str(ROOT / CONFIG), *arguments])


def refused(kind, expected, work_dir, *arguments, settings=()):
    with pytest.raises(kind, match=expected) as caught:
        run(*arguments[:1], work_dir, *arguments[1:], settings=settings)
    assert '\n' not in str(caught.value)
    assert not list(work_dir.rglob('*.pth'))


def no_train(root):
    shutil.rmtree(root / 'train')


def no_classes(root):
    no_train(root)
    (root / 'train').mkdir()


def no_images(root):
    for path in (root / 'train').rglob('*.png'):
        path.unlink()


def no_images_of_a_class(root):
    for path in (root / 'train/red').iterdir():
        path.unlink()


def one_class(root):
    for name in ('red', 'green'):
        for split in ('train', 'val'):
            shutil.rmtree(root / split / name)


def another_class_in_val(root):
    write_images(root / 'val/white', 1, (250, 250, 250))


def listed(*lines, name='train.txt'):
    def spoil(root):
        (root / 'train').rename(root / 'images')
        (root / 'train').mkdir()
        for number, path in enumerate(sorted((root / 'images').rglob('*.png'))):
            shutil.copy(path, root / f'train/{number}.png')
        (root / name).write_text('\n'.join(lines) + '\n')
        (root / 'classes.txt').write_text('blue\ngreen\nred\n')

    return spoil


@pytest.mark.parametrize(
    ('spoil', 'expected'),
    [
        (no_train, 'train is not there; an image folder holds train/<class>/ and val/<class>/'),
        (no_classes, 'train holds no folders; it must hold one for each class'),
        (no_images, r'no image below .*train; looked for \.jpg, '),
        (no_images_of_a_class, r'train has no image of 1 of the 3 classes \(red\): put some there'),
        (one_class, r'train has one class only \(blue\); give at least two'),
        (another_class_in_val, r"val has 1 classes that are not among the 3 .*first 'white'"),
        (listed('0.png 0', '1.png 7'), r'1.png has the label 7, but there are 3 classes, 0 to 2'),
        (listed('0.png 0', 'x.png 1'), r'1 of 2 images that are not in .*train \(first x\.png\)'),
        (listed('0.png blue', '1.png rod'), "the class 'rod' is not known: did you mean 'red'"),
        (listed('0.png'), r'train\.txt, line 1: give an image and its class'),
        (listed('image,class', name='train.csv'), 'train.csv lists no image'),
    ],
)
def test_folders_and_lists(root, tmp_path, spoil, expected):
    spoil(root)
    refused(DataError, expected, tmp_path / 'run', root)
    assert not (tmp_path / 'run').exists()


def test_lists_are_read(root, tmp_path, capsys):
    listed('0.png 0', '4.png 1', '8.png 2', '9.png 2')(root)
    run(root, tmp_path / 'run')
    assert ['images', '4', '6'] in map(str.split, capsys.readouterr().out.splitlines())


@pytest.mark.parametrize(
    ('more', 'settings', 'expected'),
    [
        (
            ['--batch-size', '1'],
            ['model.batch_augments.type=rexdense.BatchMix', 'model.batch_augments.mixup=0.2'],
            r'mix the images of a batch, and each has one: give --batch-size 2 or more',
        ),
        (
            [],
            ['train_dataloader.dataset.pipeline.2.policy=rand-m9-x3'],
            "policy='rand-m9-x3' is not understood; it is rand-, then parts joined by -: m9",
        ),
        (
            [],
            ['train_dataloader.dataset.pipeline.2.policy=randaugment'],
            "policy='randaugment' is not understood; it is rand-",
        ),
        (['--scale', '32,48'], [], '--scale 32,48: classifiers take squares; give 32,32'),
        (['--classes', 'red'], [], '--classes goes with folders in COCO form; classes are the fo'),
        ([], ['model.loss=mse'], "loss='mse': give one of cross_entropy, bce"),
    ],
)
def test_options(root, tmp_path, more, settings, expected):
    refused(InvalidArgument, expected, tmp_path / 'run', root, *more, settings=settings)


def test_another_number_of_classes_than_the_head_has(root, tmp_path):
    arguments = classification_arguments(root, tmp_path / 'run', '--epochs', '1')
    places = [f'{part}_dataloader.dataset.data_root={root}' for part in ('train', 'val')]
    with pytest.raises(
        InvalidArgument,
        match=r'ImageClassifier of the model has num_classes=1000, the training data 3 classes '
        r'\(blue, green, red\): set num_classes in the config, or name the folder with --data-root',
    ):
        train.main([str(ROOT / CONFIG), *arguments[2:], *places])


def test_measuring_classes_that_the_model_does_not_know(classified, root, tmp_path):
    another_class_in_val(root)
    arguments = classification_arguments(root, tmp_path / 'run')
    with pytest.raises(DataError, match=r"not among the 3 of the model .*first 'white'"):
        test.main([str(ROOT / CONFIG), str(classified.checkpoint), *arguments])


def test_resuming_with_other_classes(classified, root, tmp_path):
    work_dir = shutil.copytree(classified.work_dir, tmp_path / 'run')
    write_images(root / 'train/white', 2, (250, 250, 250))
    with pytest.raises(DataError, match=r"not among the 3 of the model .*first 'white'"):
        run(root, work_dir, '--resume')


def test_measuring_another_split_of_a_list(classified, root, tmp_path):
    arguments = classification_arguments(root, tmp_path / 'run', '--split', 'more')
    settings = ['test_dataloader.dataset.ann_file=val.txt']
    with pytest.raises(InvalidArgument, match='--split more goes with folders by class; this'):
        test.main([str(ROOT / CONFIG), str(classified.checkpoint), *arguments, *settings])
