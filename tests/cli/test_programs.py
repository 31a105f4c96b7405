"""Training, measuring and predicting, one after the other as a user does."""

import json
import re

import pytest

pytest.importorskip('mmdet')

import cv2

from rexdense.cli import predict, test
from rexdense.errors import InvalidArgument
from rexdense.evaluation.metrics_table import metrics_of, metrics_table
from rexdense.visualization.scalars import read_scalars
from tests.tiny_run import CONFIG, ROOT, run_arguments


def test_training_leaves_its_files_and_says_where(trained):
    log = next(trained.work_dir.glob('*/*.log'))
    lines = trained.output.splitlines()
    assert lines[-1].startswith('Done: bbox_mAP ')
    (best,) = trained.work_dir.glob('best_coco_bbox_mAP_*.pth')
    assert lines[-6:-1] == [
        f'checkpoint  {trained.checkpoint}',
        f'best        {best}',
        f'log         {log}',
        f'curves      {trained.work_dir}/curves.png',
        f'predictions {trained.work_dir}/predictions.png',
    ]
    for name in ('curves.png', 'predictions.png'):
        assert cv2.imread(str(trained.work_dir / name)).min() < 255
    validation = read_scalars(trained.work_dir).validation
    assert [row['step'] for row in validation] == [1]
    assert trained.output.count(metrics_table(metrics_of(validation[-1]))) == 1
    assert not list(trained.work_dir.rglob('.*.part'))


def test_terminal_shows_progress_and_no_dumps(trained):
    assert re.search(r'Epoch\(train\) \[1\]\[3/3\].* eta: .* loss: ', trained.output)
    assert len(trained.output.splitlines()) < 70
    assert 'OneDL' not in trained.output
    log = next(trained.work_dir.glob('*/*.log')).read_text()
    assert 'System environment:' in log and 'System environment:' not in trained.output
    assert "type='rexdense.CocoDataset'" in log


def test_chosen_learning_rate_is_printed(trained):
    assert (
        "Learning rate 0.000632 for 2 images a step, AdamW: the config's 0.001 for 5 images a "
        'step, scaled by the square root'
    ) in trained.output.splitlines()


def test_measuring_gives_the_metrics_of_training_exactly(trained, shapes, tmp_path, capsys):
    results, pictures = tmp_path / 'new' / 'results.json', tmp_path / 'pictures'
    more = ['--out', str(results), '--show-dir', str(pictures), '--no-optimize']
    command = [str(ROOT / CONFIG), str(trained.checkpoint)]
    test.main([*command, *run_arguments(shapes, tmp_path / 'run', *more)])
    output = capsys.readouterr().out
    metrics = metrics_of(read_scalars(trained.work_dir).validation[-1])
    table = metrics_table(metrics)
    assert output.count(table) == 1
    # Between them stand the files of the errors, see test_long_runs.py.
    assert {str(results), str(pictures)} <= set(output.splitlines())
    (measured,) = (tmp_path / 'run').glob('*/*.json')
    again = metrics_of(json.loads(measured.read_text()))
    assert len(again) == 12 + 6
    assert repr({name: again[name] for name in metrics}) == repr(metrics)

    detections = json.loads(results.read_text())
    annotations = json.loads((shapes / 'annotations/val.json').read_text())
    assert {tuple(sorted(entry)) for entry in detections} == {
        ('bbox', 'category_id', 'image_id', 'score')
    }
    assert {entry['image_id'] for entry in detections} <= {
        image['id'] for image in annotations['images']
    }
    written = sorted(str(path.relative_to(pictures)) for path in pictures.rglob('*/*.png'))
    assert written == sorted(image['file_name'] for image in annotations['images'])

    with pytest.raises(InvalidArgument, match=r'results\.json exists: choose another name, or'):
        test.main([*command, *run_arguments(shapes, tmp_path / 'run', *more[:2])])
    with pytest.raises(InvalidArgument, match='pictures is not empty: give another --show-dir'):
        test.main([*command, *run_arguments(shapes, tmp_path / 'run', *more[2:])])


def test_an_optimised_model_has_the_same_figures(trained, shapes, tmp_path, capsys):
    """As rexdense test runs it by default; the last digits may differ."""
    command = [str(ROOT / CONFIG), str(trained.checkpoint)]
    test.main([*command, *run_arguments(shapes, tmp_path / 'run')])
    assert 'runs as it is' not in capsys.readouterr().out
    (measured,) = (tmp_path / 'run').glob('*/*.json')
    again = metrics_of(json.loads(measured.read_text()))
    for name, value in metrics_of(read_scalars(trained.work_dir).validation[-1]).items():
        assert again[name] == pytest.approx(value, abs=1e-3, nan_ok=True), name


@pytest.mark.slow
def test_measuring_at_another_scale_is_said(trained, shapes, tmp_path, capsys):
    command = [str(ROOT / CONFIG), str(trained.checkpoint)]
    options = run_arguments(shapes, tmp_path / 'run')
    test.main([*command, *options])
    assert 'Measured otherwise' not in capsys.readouterr().out
    place = options.index('--scale')
    del options[place : place + 2]
    test.main([*command, *options])
    said = (
        f'Measured otherwise than {trained.checkpoint} was trained: mmdet.Resize scale (640, 480) '
        'for (64, 64) (--scale W,H sets the size)'
    )
    assert said in capsys.readouterr().out.splitlines()


def test_predicting_writes_pictures_and_one_json(trained, shapes, tmp_path, capsys):
    out = tmp_path / 'out'
    options = ['--out-dir', str(out), '--score', '0.01', '--device', 'cpu']
    command = [str(trained.checkpoint), str(shapes / 'images/val'), *options]
    predict.main(command)
    content = json.loads((out / 'predictions.json').read_text())
    assert content['classes'][:2] == ['circle', 'square']
    images = sorted((shapes / 'images/val').iterdir())
    assert [entry['image'] for entry in content['images']] == [str(path) for path in images]
    assert sorted(path.name for path in out.iterdir()) == [
        *(path.name for path in images),
        'predictions.json',
    ]
    for entry in content['images']:
        for found in entry['objects']:
            assert found['label'] in content['classes'] and 0.01 <= found['score'] <= 1
            left, top, right, bottom = found['box']
            assert 0 <= left <= right <= 64 and 0 <= top <= bottom <= 64
    assert sum(len(entry['objects']) for entry in content['images']) > 0
    assert capsys.readouterr().out.splitlines()[-1] == str(out / 'predictions.json')
    with pytest.raises(InvalidArgument, match='exists: give another --out-dir, or --overwrite'):
        predict.main(command)
    predict.main([*command, '--overwrite'])
