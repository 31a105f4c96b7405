"""Measuring and showing a depth estimator, as a user does after training it."""

import json
import shutil

import pytest

pytest.importorskip('mmseg')

import cv2
import numpy as np

from rexdense.cli import predict, report, test, train
from rexdense.errors import InvalidArgument
from rexdense.evaluation.metrics_table import metrics_of
from rexdense.visualization.scalars import read_scalars
from tests.tiny_run import ROOT, segmentation_arguments

CONFIG = str(ROOT / 'configs/depth/unet_rexnet-1.0_custom.py')


@pytest.mark.slow
def test_training_measuring_and_predicting(shapes, tmp_path, capsys):
    run, out, pictures = tmp_path / 'run', tmp_path / 'out', tmp_path / 'pictures'
    epochs = ['--epochs', '1', '--seed', '0']
    train.main([CONFIG, *segmentation_arguments(shapes, run, *epochs)])
    # Rows of image, truth and prediction, on one scale.
    assert cv2.imread(str(run / 'predictions.png')).shape[1] == 3 * (240 + 8)

    page = tmp_path / 'page.html'
    report.main([str(run), '--device', 'cpu', '--no-data-check', '--out', str(page)])
    # As a caption, and for those who hear the page.
    assert page.read_text().count('.png: error as a share of the depth') == 2 * 4

    checkpoint = str(run / 'epoch_1.pth')
    more = ['--out', str(out), '--show-dir', str(pictures)]
    test.main([CONFIG, checkpoint, *segmentation_arguments(shapes, tmp_path / 'test', *more)])
    assert capsys.readouterr().out.splitlines()[-2:] == [str(out), str(pictures)]
    trained = metrics_of(read_scalars(run).validation[-1])
    (logged,) = (tmp_path / 'test').glob('*/*.json')
    assert metrics_of(json.loads(logged.read_text())) == pytest.approx(trained)
    errors = []
    for number in range(4):
        predicted, truth = (
            cv2.imread(str(folder / f'00000{number}.png'), cv2.IMREAD_UNCHANGED) / 1000
            for folder in (out, shapes / 'depth/val')
        )
        errors.append(np.abs(predicted - truth) / truth)
        assert cv2.imread(str(pictures / f'00000{number}.png')).shape[1] == 3 * (256 + 8)
    assert np.mean(errors) == pytest.approx(trained['depth/abs_rel'], abs=1e-3)

    test.main(
        [CONFIG, checkpoint, *segmentation_arguments(shapes, tmp_path / 'flip'), '--flip-test']
    )
    (logged,) = (tmp_path / 'flip').glob('*/*.json')
    assert metrics_of(json.loads(logged.read_text())) != pytest.approx(trained, abs=1e-9)

    # The same maps under the name of another split.
    other = tmp_path / 'set'
    for kind in ('images', 'depth'):
        shutil.copytree(shapes / kind / 'val', other / kind / 'test')
    measured = segmentation_arguments(other, tmp_path / 'split', '--split', 'test')
    test.main([CONFIG, checkpoint, *measured])
    (logged,) = (tmp_path / 'split').glob('*/*.json')
    assert metrics_of(json.loads(logged.read_text())) == pytest.approx(trained)
    for more, expected in (
        (['--images', 'x'], '--images goes with folders in COCO form; images and depth maps'),
        (
            ['--cfg-options', 'test_dataloader.dataset.ann_file=list.txt'],
            'this config reads the list list.txt: set --cfg-options test_dataloader.dataset.ann_f',
        ),
    ):
        with pytest.raises(InvalidArgument, match=expected):
            test.main([CONFIG, checkpoint, *measured, *more])

    image = str(shapes / 'images/val/000000.png')
    options = ['--depth-format', 'npy', '--scales', '1,8', '--device', 'cpu']
    predict.main([checkpoint, image, '--out-dir', str(tmp_path / 'shown'), *options])
    shown = tmp_path / 'shown'
    depth = np.load(shown / 'depth/000000.npy')
    assert depth.shape == (64, 64) and depth.dtype == np.float32
    in_millimetres = cv2.imread(str(out / '000000.png'), cv2.IMREAD_UNCHANGED)
    assert np.abs(depth * 1000 - in_millimetres).max() <= 0.51
    assert np.array_equal(np.load(shown / 'scales/1/000000.npy'), depth)
    assert not np.allclose(np.load(shown / 'scales/8/000000.npy'), depth)
    content = json.loads((shown / 'predictions.json').read_text())
    assert content['unit'] == 'metre'
    assert content['images'][0]['nearest'] == pytest.approx(depth.min(), abs=1e-3)
    assert content['images'][0]['file'] == 'depth/000000.npy'
