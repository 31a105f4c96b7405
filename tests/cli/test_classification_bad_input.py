"""Mistakes in image folders, lists and options of classifiers end in one clear line."""

import shutil

import pytest

pytest.importorskip('mmdet')

from rexdense.cli import train
from rexdense.errors import DataError
from tests.small_classification import CONFIG, classification_arguments, write_images
from tests.tiny_run import ROOT


@pytest.fixture
def root(image_folder, tmp_path):
    """A folder of its own."""
    return shutil.copytree(image_folder, tmp_path / 'set')


def run(root, work_dir, *more, settings=()):
    arguments = classification_arguments(root, work_dir, '--epochs', '1', *more, settings=settings)
    train.main([str(ROOT / CONFIG), *arguments])


def listed(*lines, name='train.txt'):
    def spoil(root):
        (root / 'train').rename(root / 'images')
        (root / 'train').mkdir()
        for number, path in enumerate(sorted((root / 'images').rglob('*.png'))):
            shutil.copy(path, root / f'train/{number}.png')
        (root / name).write_text('\n'.join(lines) + '\n')
        (root / 'classes.txt').write_text('blue\ngreen\nred\n')

    return spoil


def test_lists_are_read(root, tmp_path, capsys):
    listed('0.png 0', '4.png 1', '8.png 2', '9.png 2')(root)
    run(root, tmp_path / 'run')
    assert ['images', '4', '6'] in map(str.split, capsys.readouterr().out.splitlines())


def test_resuming_with_other_classes(classified, root, tmp_path):
    work_dir = shutil.copytree(classified.work_dir, tmp_path / 'run')
    write_images(root / 'train/white', 2, (250, 250, 250))
    with pytest.raises(DataError, match=r"not among the 3 of the model .*first 'white'"):
        run(root, work_dir, '--resume')
