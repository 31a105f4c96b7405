"""Measuring and showing a classifier, as a user does after training it."""

import csv
import json
import shutil

import cv2
import pytest

pytest.importorskip('mmdet')

from rexdense.cli import predict, test
from rexdense.errors import DataError, InvalidArgument
from rexdense.evaluation.metrics_table import metrics_of
from rexdense.visualization.scalars import read_scalars
from tests.small_classification import CLASSES, CONFIG, classification_arguments
from tests.tiny_run import ROOT


def measure(classified, root, work_dir, *more):
    command = [str(ROOT / CONFIG), str(classified.checkpoint)]
    test.main([*command, *classification_arguments(root, work_dir, *more)])


def show(classified, images, folder, *more):
    command = [str(classified.checkpoint), str(images), '--out-dir', str(folder)]
    predict.main([*command, '--device', 'cpu', *more])


def test_measuring_gives_what_training_did(classified, image_folder, tmp_path, capsys):
    out, pictures = tmp_path / 'predictions.json', tmp_path / 'pictures'
    more = ['--out', str(out), '--show-dir', str(pictures)]
    measure(classified, image_folder, tmp_path / 'run', *more)
    lines = capsys.readouterr().out.splitlines()
    files = [pictures / f'confusion_matrix.{ending}' for ending in ('csv', 'png')]
    assert lines[-4:] == [str(path) for path in (out, pictures, *files)]
    trained = metrics_of(read_scalars(classified.work_dir).validation[-1])
    (path,) = (tmp_path / 'run').glob('*/*.json')
    # Other batches round otherwise.
    assert metrics_of(json.loads(path.read_text())) == pytest.approx(trained, abs=1e-6)
    content = json.loads(out.read_text())
    rows = content['images']
    assert content['classes'] == list(CLASSES) and len(rows) == 6
    assert {row['image'] for row in rows} == set(map(str, image_folder.glob('val/*/*.png')))
    right = [row['truth'] == row['predicted'] for row in rows]
    assert sum(right) / 6 == pytest.approx(trained['classification/top1'])
    header, *counts = csv.reader(files[0].read_text().splitlines())
    assert header == ['truth', *CLASSES]
    for name, *row in counts:
        found = [row['predicted'] for row in rows if row['truth'] == name]
        assert list(map(int, row)) == [found.count(other) for other in CLASSES]
    for name in CLASSES:
        assert cv2.imread(str(pictures / name / '1.png')).shape[1] == 240 + 8


def test_images_are_those_of_the_training(classified, image_folder, tmp_path, capsys):
    """Whatever the config says: --pretrained may have set it."""
    other = tmp_path / 'other.py'
    normal = 'mean=[0.0] * 3, std=[1.0] * 3, bgr_to_rgb=False'
    other.write_text(
        f"_base_ = '{ROOT / CONFIG}'\nmodel = dict(data_preprocessor=dict({normal}))\n"
    )
    arguments = classification_arguments(image_folder, tmp_path / 'run')
    test.main([str(other), str(classified.checkpoint), *arguments])
    output = capsys.readouterr().out
    assert 'Images as in the training of the checkpoint: RGB, mean 123.675, 116.28' in output
    assert 'Measured otherwise' not in output
    (path,) = (tmp_path / 'run').glob('*/*.json')
    trained = metrics_of(read_scalars(classified.work_dir).validation[-1])
    # Other batches round otherwise.
    assert metrics_of(json.loads(path.read_text())) == pytest.approx(trained, abs=1e-6)


def test_another_split_is_measured(classified, image_folder, tmp_path, capsys):
    root = shutil.copytree(image_folder, tmp_path / 'set')
    (root / 'val').rename(root / 'test')
    shutil.rmtree(root / 'test/red')
    measure(classified, root, tmp_path / 'run', '--split', 'test')
    output = capsys.readouterr().out
    assert ['images', '4'] in map(str.split, output.splitlines()) and '3 classes' in output
    with pytest.raises(DataError, match='val is not there; an image folder holds train/<class>/'):
        measure(classified, root, tmp_path / 'run')


def test_predicting_writes_classes_pictures_and_a_sheet(classified, image_folder, tmp_path, capsys):
    out = tmp_path / 'out'
    show(classified, image_folder / 'val/red', out)
    names = sorted(str(path.relative_to(out)) for path in out.rglob('*.*'))
    assert names == ['0.png', '1.png', 'predictions.json', 'predictions.png']
    content = json.loads((out / 'predictions.json').read_text())
    assert content['classes'] == list(CLASSES)
    assert content['files'] == ['0.png', '1.png', 'predictions.png']
    for entry in content['images']:
        labels = [score['label'] for score in entry['scores']]
        values = [score['score'] for score in entry['scores']]
        assert entry['label'] == labels[0] and sorted(labels) == list(CLASSES)
        assert values == sorted(values, reverse=True) and sum(values) == pytest.approx(1, abs=2e-4)
    # Two tiles.
    assert cv2.imread(str(out / 'predictions.png')).shape == (160 + 26 + 8, 2 * (160 + 8), 3)
    told = capsys.readouterr().out.splitlines()[-2:]
    assert told == [str(out / 'predictions.png'), str(out / 'predictions.json')]
    with pytest.raises(InvalidArgument, match='exists: give another --out-dir, or --overwrite'):
        show(classified, image_folder / 'val/red', out)
    show(classified, image_folder / 'val/red', out, '--overwrite')


def test_an_image_of_the_name_of_the_sheet_gets_another(classified, image_folder, tmp_path):
    images = tmp_path / 'images'
    images.mkdir()
    shutil.copy(image_folder / 'val/red/0.png', images / 'predictions.png')
    show(classified, images, tmp_path / 'out')
    (entry,) = json.loads((tmp_path / 'out/predictions.json').read_text())['images']
    assert entry['picture'] != 'predictions.png'
    assert (tmp_path / 'out' / entry['picture']).is_file()
