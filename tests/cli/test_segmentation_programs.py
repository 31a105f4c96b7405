"""Measuring and showing a segmentor, as a user does after training it."""

import json
import shutil

import pytest

pytest.importorskip('mmseg')

import cv2
import numpy as np
from PIL import Image

from rexdense.cli import predict, test
from rexdense.datasets.segmentation.class_list import class_colours
from rexdense.engine import terminal_log
from rexdense.errors import DataError, InvalidArgument
from rexdense.evaluation.metrics_table import metrics_of, metrics_table
from rexdense.visualization.scalars import read_scalars
from tests.small_segmentation import CLASSES, HEIGHT, WIDTH
from tests.tiny_run import ROOT, SEGMENTATION_CONFIG, segmentation_arguments

COLOURS = class_colours(CLASSES)


def measure(segmented, label_maps, work_dir, *more):
    command = [str(ROOT / SEGMENTATION_CONFIG), str(segmented.checkpoint)]
    test.main([*command, *segmentation_arguments(label_maps, work_dir, *more)])


def show(segmented, images, folder, *more):
    command = [str(segmented.checkpoint), str(images), '--out-dir', str(folder)]
    predict.main([*command, '--device', 'cpu', *more])


def metrics_logged(work_dir):
    (path,) = work_dir.glob('*/*.json')
    return metrics_of(json.loads(path.read_text()))


def label_png(path):
    """The class indices of a PNG with a palette, and the palette's first colours."""
    with Image.open(path) as image:
        assert image.mode == 'P'
        palette = image.getpalette()[: 3 * len(CLASSES)]
        return np.asarray(image), [tuple(palette[at : at + 3]) for at in range(0, len(palette), 3)]


def test_training_draws_curves_and_a_sheet(segmented):
    assert segmented.output.splitlines()[-3:-1] == [
        f'curves      {segmented.work_dir}/curves.png',
        f'predictions {segmented.work_dir}/predictions.png',
    ]
    sheet = cv2.imread(str(segmented.work_dir / 'predictions.png'))[..., ::-1]
    assert sheet.shape[1] == 3 * (round(240 * WIDTH / HEIGHT) + 8)
    # The truth of the first image, below its title: a row of void, then the classes side by side.
    truth = sheet[26:266, sheet.shape[1] // 3 : 2 * sheet.shape[1] // 3]
    assert [tuple(truth[100, at]) for at in (10, 150, 270)] == list(COLOURS)
    assert tuple(truth[2, 2]) not in COLOURS
    metrics = metrics_of(read_scalars(segmented.work_dir).validation[-1])
    assert segmented.output.count(metrics_table(metrics)) == 1
    header = ['class', 'IoU', 'BoundaryIoU', 'Dice', 'Acc']
    assert header in map(str.split, metrics_table(metrics).splitlines())


def test_long_lines_leave_the_metrics_of_classes_to_the_table(
    segmented, label_maps, tmp_path, capsys, monkeypatch
):
    # With three classes the line is short.
    monkeypatch.setattr(terminal_log, 'LONGEST_TERMINAL_LINE', 300)
    measure(segmented, label_maps, tmp_path / 'run')
    (told,) = (line for line in capsys.readouterr().out.splitlines() if 'Epoch(test) [1/1]' in line)
    assert 'segmentation/aAcc: ' in told and 'data_time: ' in told and 'dog' not in told
    assert 'segmentation/Acc/dog: ' in next((tmp_path / 'run').glob('*/*.log')).read_text()


def test_measuring_gives_the_metrics_of_training(segmented, label_maps, tmp_path, capsys):
    maps, pictures = tmp_path / 'maps', tmp_path / 'pictures'
    more = ['--out', str(maps), '--show-dir', str(pictures)]
    measure(segmented, label_maps, tmp_path / 'run', *more)
    output = capsys.readouterr().out
    trained = metrics_of(read_scalars(segmented.work_dir).validation[-1])
    table = metrics_table(trained)
    assert output.splitlines()[-len(table.splitlines()) - 4 :] == [
        *table.splitlines(),
        str(maps),
        str(pictures),
        str(pictures / 'confusion_matrix.csv'),
        str(pictures / 'confusion_matrix.png'),
    ]
    assert repr(metrics_logged(tmp_path / 'run')) == repr(trained)
    confusion = np.zeros((3, 3), int)
    for name in ('0', '1'):
        labels, palette = label_png(maps / f'{name}.png')
        assert labels.shape == (HEIGHT, WIDTH) and tuple(palette) == COLOURS
        truth = np.asarray(Image.open(label_maps / f'labels/val/{name}.png'))
        kept = truth != 255
        np.add.at(confusion, (truth[kept], labels[kept]), 1)
        # Truth and prediction side by side.
        assert cv2.imread(str(pictures / f'{name}.png')).shape[1] == 2 * (5 * WIDTH + 8)
    right, either = np.diagonal(confusion), confusion.sum(0) + confusion.sum(1)
    for name, iou in zip(CLASSES, right / (either - right), strict=True):
        assert trained[f'segmentation/IoU/{name}'] == pytest.approx(iou)
    for option in ('--out', '--show-dir'):
        folder = {'--out': maps, '--show-dir': pictures}[option]
        with pytest.raises(InvalidArgument, match=f'is not empty: give another {option}, or'):
            measure(segmented, label_maps, tmp_path / 'run', option, str(folder))


@pytest.mark.slow
def test_another_split_is_measured(segmented, label_maps, tmp_path, capsys):
    root = shutil.copytree(label_maps, tmp_path / 'set')
    for kind in ('images', 'labels'):
        (root / kind / 'val').rename(root / kind / 'test')
    more = ['--split', 'test', '--out', str(tmp_path / 'maps')]
    measure(segmented, root, tmp_path / 'run', *more)
    lines = list(map(str.split, capsys.readouterr().out.splitlines()))
    assert ['test'] in lines and ['images', '2'] in lines
    trained = metrics_of(read_scalars(segmented.work_dir).validation[-1])
    assert repr(metrics_logged(tmp_path / 'run')) == repr(trained)
    assert sorted(path.name for path in (tmp_path / 'maps').iterdir()) == ['0.png', '1.png']
    with pytest.raises(DataError, match='images/val is not there; a data root holds'):
        measure(segmented, root, tmp_path / 'run')


@pytest.mark.slow
def test_windows_that_slide(segmented, label_maps, tmp_path):
    """Windows as large as the image give what the whole does, by options of the command line."""
    metrics = {}
    for name, window in (('whole', '[40,48]'), ('parts', '[32,32]')):
        settings = [f'model.test_cfg.crop_size={window}', 'model.test_cfg.stride=[16,16]']
        options = ['--cfg-options', 'model.test_cfg.mode=slide', *settings]
        measure(segmented, label_maps, tmp_path / name, *options)
        metrics[name] = metrics_logged(tmp_path / name)
    trained = metrics_of(read_scalars(segmented.work_dir).validation[-1])
    assert metrics['whole'] == pytest.approx(trained, abs=1e-6)
    assert metrics['parts'] != pytest.approx(trained, abs=1e-6)


@pytest.mark.slow
def test_flip_test_of_a_mirrored_set_is_the_same(segmented, label_maps, tmp_path, capsys):
    """The mean with the mirror image does not change when the set itself is mirrored."""
    mirrored = shutil.copytree(label_maps, tmp_path / 'set')
    for path in mirrored.rglob('*/val/*.png'):
        Image.fromarray(np.asarray(Image.open(path))[:, ::-1]).save(path)
    metrics = []
    for root, name in ((label_maps, 'one'), (mirrored, 'other')):
        measure(segmented, root, tmp_path / name, '--flip-test')
        metrics.append(metrics_logged(tmp_path / name))
    assert metrics[0] == pytest.approx(metrics[1], abs=0.02)
    plain = metrics_of(read_scalars(segmented.work_dir).validation[-1])
    assert metrics[0] != pytest.approx(plain, abs=1e-9)
    # Without --show-dir the confusion matrix lies with the log.
    picture = capsys.readouterr().out.splitlines()[-1]
    assert picture.startswith(str(tmp_path / 'other')) and cv2.imread(picture) is not None


def test_predicting_writes_label_maps_and_pictures(segmented, label_maps, tmp_path, capsys):
    out = tmp_path / 'out'
    show(segmented, label_maps / 'images/val', out)
    assert sorted(str(path.relative_to(out)) for path in out.rglob('*.*')) == [
        *('0.png', '1.png', 'labels/0.png', 'labels/1.png', 'predictions.json')
    ]
    content = json.loads((out / 'predictions.json').read_text())
    assert content['classes'] == list(CLASSES)
    for entry, name in zip(content['images'], ('0.png', '1.png'), strict=True):
        assert entry['image'] == str(label_maps / 'images/val' / name)
        labels, palette = label_png(out / entry['file'])
        assert labels.shape == (HEIGHT, WIDTH) and tuple(palette) == COLOURS
        for index, class_name in enumerate(CLASSES):
            share = entry['shares'].get(class_name, 0)
            assert share == pytest.approx((labels == index).mean(), abs=1e-4)
    assert capsys.readouterr().out.splitlines()[-1] == str(out / 'predictions.json')
    with pytest.raises(InvalidArgument, match='exists: give another --out-dir, or --overwrite'):
        show(segmented, label_maps / 'images/val', out)


def test_predicting_every_scale(segmented, label_maps, tmp_path):
    out = tmp_path / 'out'
    show(segmented, label_maps / 'images/val/0.png', out, '--scales', 'all')
    finest, _ = label_png(out / 'labels/0.png')
    maps = {stride: label_png(out / f'scales/{stride}/0.png')[0] for stride in (1, 2, 4, 8, 16, 32)}
    assert np.array_equal(maps[1], finest)
    assert any(not np.array_equal(maps[stride], finest) for stride in (2, 4, 8, 16, 32))
    assert all(labels.shape == finest.shape for labels in maps.values())
    assert cv2.imread(str(out / 'scales/0.png')).shape[1] == 3 * (5 * WIDTH + 8)
    show(segmented, label_maps / 'images/val/0.png', tmp_path / 'two', '--scales', '4,16')
    assert sorted(path.name for path in (tmp_path / 'two/scales').iterdir()) == ['0.png', '16', '4']
    assert np.array_equal(label_png(tmp_path / 'two/scales/4/0.png')[0], maps[4])


def test_images_of_every_kind(segmented, tmp_path):
    folder = tmp_path / 'images'
    folder.mkdir()
    random = np.random.default_rng(0)
    sizes = {'tiny.png': (17, 23), 'tiny.bmp': (20, 9), 'tall.png': (130, 5)}
    for name, size in sizes.items():
        cv2.imwrite(str(folder / name), random.integers(0, 256, (*size, 3), np.uint8))
    cv2.imwrite(str(folder / 'grey.jpg'), random.integers(0, 256, (40, 50), np.uint8))
    cv2.imwrite(str(folder / 'alpha.png'), random.integers(0, 256, (40, 50, 4), np.uint8))
    cv2.imwrite(str(folder / 'deep.tif'), random.integers(0, 65536, (97, 131), np.uint16))
    (folder / 'damaged.png').write_text('no image')
    out = tmp_path / 'out'
    with pytest.raises(DataError, match=r'^1 of 7 images left out: image .*damaged\.png cannot be'):
        show(segmented, folder, out)
    labels = {path.name: label_png(path)[0].shape for path in (out / 'labels').iterdir()}
    # Two images of one stem keep their endings.
    assert labels == {
        **{'tiny.png.png': (17, 23), 'tiny.bmp.png': (20, 9), 'tall.png': (130, 5)},
        **{'grey.png': (40, 50), 'alpha.png': (40, 50), 'deep.png': (97, 131)},
    }
