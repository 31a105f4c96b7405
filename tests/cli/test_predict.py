"""``rexdense predict`` on videos, and where something cannot be read."""

import json
import shutil
import sys

import numpy as np
import pytest

pytest.importorskip('mmdet')
pytest.importorskip('mmseg')

from PIL import Image

from rexdense.cli import predict
from rexdense.cli.parser import run_command
from rexdense.datasets.images.videos import Video
from tests.small_videos import RATE, cut, write_frames


def run(capsys, *arguments):
    """Run the program as its command does; return its status and the lines that it prints."""
    with pytest.raises(SystemExit) as ended:
        run_command(predict.main, [*map(str, arguments), '--device', 'cpu'], 'rexdense predict')
    printed = capsys.readouterr()
    return ended.value.code, printed.out.splitlines(), printed.err.splitlines()


def document(out):
    return json.loads((out / 'predictions.json').read_text())


@pytest.mark.parametrize('kind', ['boxes', 'labels', 'depth', 'class'])
def test_a_video(untrained_models, tmp_path, capsys, kind):
    video, out = write_frames(tmp_path / 'a.avi', 5), tmp_path / 'out'
    more = ['--score', '0'] if kind == 'boxes' else []
    command = [untrained_models[kind], video, '--out-dir', out, '--batch-size', '2', *more]
    status, told, errors = run(capsys, *command)
    assert (status, errors) == (0, [])
    assert told == [f'{video}: 5 frames', f'{out}/a.mp4', f'{out}/predictions.json']
    assert {path.name for path in out.iterdir()} == {'a.mp4', 'predictions.json'}
    written = Video(out / 'a.mp4')
    assert (written.rate, len(list(written.frames()))) == (RATE, 5)
    content = document(out)
    assert content['files'] == ['a.mp4'] and 'left_out' not in content
    assert [entry['frame'] for entry in content['images']] == [0, 1, 2, 3, 4]
    assert content['images'][2]['seconds'] == round(2 / RATE, 3)
    if kind == 'boxes':
        assert [image['id'] for image in content['images']] == [1, 2, 3, 4, 5]
        found = {annotation['image_id'] for annotation in content['annotations']}
        assert found <= {1, 2, 3, 4, 5} and found
    # Nothing is replaced unasked, and what a run has written may be replaced.
    status, _, errors = run(capsys, *command)
    assert status == 2 and 'exists: give another --out-dir, or --overwrite' in errors[0]
    assert run(capsys, *command, '--overwrite')[0] == 0


def test_a_video_that_ends_early(untrained_models, tmp_path, capsys):
    video, out = cut(write_frames(tmp_path / 'a.avi', 40), 0.5), tmp_path / 'out'
    status, _, errors = run(capsys, untrained_models['class'], video, '--out-dir', out)
    frames = Video(out / 'a.mp4').stated_frames
    assert status == 1 and len(errors) == 1 and 5 < frames < 30
    assert f'a.avi ends early: {frames} of 40 frames' in errors[0] and 'holds those' in errors[0]
    content = document(out)
    assert len(content['images']) == frames and 'ends early' in content['left_out'][0]


@pytest.mark.parametrize('unreadable', [1, 5, 6])
def test_images_that_cannot_be_read(untrained_models, tmp_path, capsys, unreadable):
    folder, out = tmp_path / 'images', tmp_path / 'out'
    folder.mkdir()
    for number in range(6):
        Image.fromarray(np.full((40, 40, 3), 9 * number, np.uint8)).save(folder / f'{number}.png')
    for number in range(unreadable):
        (folder / f'{number}.png').write_text('no image')
    status, told, errors = run(capsys, untrained_models['class'], folder, '--out-dir', out)
    assert status == 1 and len(errors) == 1
    assert f'{unreadable} of 6 images left out: image {folder}/0.png cannot be' in errors[0]
    assert ('and 2 more, which predictions.json names' in errors[0]) == (unreadable == 5)
    assert sum(line.startswith('left out: image ') for line in told) == unreadable
    assert len(list(out.glob('?.png'))) == 6 - unreadable
    if unreadable < 6:
        content = document(out)
        assert len(content['images']) == 6 - unreadable == len(content['files']) - 1
        assert len(content['left_out']) == unreadable


def test_one_box_for_each_object(untrained_models, tmp_path, capsys):
    image = tmp_path / 'a.png'
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(image)
    command = [untrained_models['boxes'], image, '--score', '0']
    numbers = []
    for name, more in (('all', []), ('single', ['--one-per-object'])):
        assert run(capsys, *command, '--out-dir', tmp_path / name, *more)[0] == 0
        numbers.append(len(document(tmp_path / name)['annotations']))
    assert numbers[0] > numbers[1] > 0
    status, _, errors = run(
        capsys, untrained_models['class'], image, '--one-per-object', '--out-dir', tmp_path / 'x'
    )
    assert status == 2 and '--one-per-object goes with detectors; leave it out' in errors[0]


def test_a_bar_on_a_terminal(untrained_models, tmp_path, capsys, monkeypatch):
    folder = tmp_path / 'images'
    folder.mkdir()
    for number in range(3):
        Image.fromarray(np.full((40, 40, 3), number, np.uint8)).save(folder / f'{number}.png')
    monkeypatch.setattr(sys.stderr, 'isatty', lambda: True, raising=False)
    command = [str(untrained_models['class']), str(folder), '--device', 'cpu', '--out-dir']
    predict.main([*command, str(tmp_path / 'out')])
    printed = capsys.readouterr()
    assert '3/3' in printed.err and printed.out.count(' -> ') == 3
    monkeypatch.undo()
    shutil.rmtree(tmp_path / 'out')
    predict.main([*command, str(tmp_path / 'out')])
    assert capsys.readouterr().err == ''
