"""Training depth on a folder, as a user starts it, and what predicting the mean gives there."""

import re
import shutil

import cv2
import numpy as np
import pytest

pytest.importorskip('mmseg')

from rexdense.cli import depth_baseline, train
from rexdense.errors import DataError, InvalidArgument
from rexdense.evaluation.depth_metric import DepthMetric
from rexdense.visualization.scalars import read_scalars
from tests.tiny_run import NARROW, ROOT, SHALLOW

CONFIG = ROOT / 'configs/depth/unet_rexnet-1.0_custom.py'


def arguments(data_root, work_dir, *more):
    return [
        *(str(CONFIG), '--data-root', str(data_root), '--work-dir', str(work_dir)),
        *('--device', 'cpu', '--scale', '64,64', '--batch-size', '2', '--workers', '0'),
        *('--epochs', '1', '--seed', '0', '--cfg-options', NARROW, SHALLOW, *more),
    ]


@pytest.fixture
def folder(shapes, tmp_path):
    """A copy of Shapes' images and depth maps to spoil."""
    for name in ('images', 'depth'):
        shutil.copytree(shapes / name, tmp_path / 'set' / name)
    return tmp_path / 'set'


def spoil(path, depth):
    assert cv2.imwrite(str(path), depth.astype(np.uint16))


@pytest.mark.slow
def test_one_epoch_from_the_command_line(folder, tmp_path, capsys):
    # Zeros in one map, nothing at all in another; a validation map without depth as well.
    maps = sorted((folder / 'depth/train').iterdir())
    holes = cv2.imread(str(maps[0]), cv2.IMREAD_UNCHANGED)
    holes[10:40] = 0
    spoil(maps[0], holes)
    spoil(maps[1], holes * 0)
    spoil(folder / 'depth/val/000001.png', holes * 0)
    nan = cv2.imread(str(maps[2]), cv2.IMREAD_UNCHANGED) / 1000
    nan[::2] = np.nan
    np.save(maps[2].with_suffix('.npy'), nan)
    maps[2].unlink()

    train.main(arguments(folder, tmp_path / 'run'))
    output = capsys.readouterr().out
    assert ['images', 'with', 'depth', '6', '4'] in map(str.split, output.splitlines())
    assert '1 training image could not be used and was skipped; the log names them' in output
    assert 'OneDL' not in output
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    assert f'skipped: depth map {maps[1]} has no measured pixel' in log
    assert re.search('1 of 4 depth maps have no depth between .* and were left out', log)
    scalars = read_scalars(tmp_path / 'run')
    (validation,) = scalars.validation
    assert 0 < validation['depth/abs_rel'] < 1 and 0 <= validation['depth/d1'] <= 1
    assert scalars.training == [] or scalars.training[-1]['loss'] > 0
    assert (tmp_path / 'run/epoch_1.pth').is_file()


def test_folders_that_cannot_be_trained(folder, tmp_path):
    with pytest.raises(InvalidArgument, match='--classes goes with folders in COCO form; im'):
        train.main(arguments(folder, tmp_path / 'run', '--classes', 'a'))
    with pytest.raises(DataError, match='/nowhere/images/train of the images is not there; data_r'):
        train.main(arguments(tmp_path / 'nowhere', tmp_path / 'run'))
    (folder / 'depth/val/000001.png').unlink()
    with pytest.raises(DataError, match=r'1 of 4 images in .*/images/val have no depth map'):
        train.main(arguments(folder, tmp_path / 'run'))


def test_the_mean_as_a_prediction(folder, capsys):
    flat = np.full((64, 64), 2000)
    for path in folder.glob('depth/*/*.png'):
        spoil(path, flat)
    for number in range(3):  # of six maps, so that the mean is 3 m
        spoil(folder / f'depth/train/00000{number}.png', 2 * flat)
    spoil(folder / 'depth/val/000000.png', flat * 0)
    depth_baseline.main([str(CONFIG), '--data-root', str(folder)])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ['metric', 'mean', 'depth,', '3.000', 'm', 'mean', 'of', 'each', 'pixel'] in lines
    assert ['abs_rel', '0.5000', '0.5000'] in lines and ['rmse', '1.0000', '1.0000'] in lines


def test_means():
    metric = DepthMetric(max_depth=10)
    first, second = np.array([[2.0, 0, 4]]), np.array([[4.0, 0, 50]])
    mean, of_pixels = depth_baseline.mean_depth([first, second], metric)
    assert mean == pytest.approx(10 / 3)
    assert of_pixels == pytest.approx(np.array([[3, 10 / 3, 4]]))
    assert depth_baseline.mean_depth([first, second.T], metric) == (mean, None)
    with pytest.raises(DataError, match=r'no training image has a depth between 0\.001 and'):
        depth_baseline.mean_depth([first * 0], metric)


def test_the_baseline_of_another_task(capsys):
    config = ROOT / 'configs/unet/unet_rexnet-1.0_custom.py'
    with pytest.raises(
        InvalidArgument, match=r'is measured by rexdense\.SegmentationMetric; give a con'
    ):
        depth_baseline.main([str(config)])
