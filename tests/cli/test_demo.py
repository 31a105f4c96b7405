"""The demos: one is run on few pictures, the others' command lines are read."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip('mmseg')

from rexdense.cli import demo, train
from rexdense.cli.pretrain_demo import _seed
from rexdense.engine.trained.file import read_training_file
from rexdense.errors import InvalidArgument
from rexdense.shipped_configs import find_config
from tests.tiny_run import NARROW, ROOT, SHALLOW


@pytest.mark.slow
def test_a_demo_leaves_a_checkpoint_and_its_pictures(shapes, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    demo.main(['--data-root', str(shapes), '--epochs', '1', 'unet', '--workers', '0'])
    left = {path.name for path in Path('work_dirs/unet_demo').iterdir()}
    assert {'epoch_1.pth', 'curves.png', 'predictions.png'} <= left
    assert 'mIoU' in capsys.readouterr().out
    assert not Path('data').exists()


def test_the_seed_of_a_new_demo_of_pretraining():
    assert _seed({}, SimpleNamespace(seed=None, resume=False)) == 0
    assert _seed({}, SimpleNamespace(seed=3, resume=True)) == 3


@pytest.mark.slow
def test_an_interrupted_demo_of_pretraining_compares_two_detectors(
    shapes, tmp_path, monkeypatch, capsys
):
    """The classifier was trained, at a seed of its own, and neither detector was begun."""
    monkeypatch.chdir(tmp_path)
    options = ['--epochs', '1', '--workers', '0', '--batch-size', '2', '--device', 'cpu']
    narrow = ['--cfg-options', NARROW, SHALLOW]
    runs = Path('work_dirs/pretrain_demo')
    places = ['--data-root', str(shapes / 'crops'), '--work-dir', str(runs / 'classifier')]
    train.main([demo.CLASSIFIER, '--seed', '5', *places, *options, *narrow])
    before = (runs / 'classifier/epoch_1.pth').stat().st_mtime_ns
    demo.main(['pretrain', '--resume', '--data-root', str(shapes), *options, *narrow])
    lines = capsys.readouterr().out.splitlines()
    header, row = lines[-2:]
    assert re.split(' {2,}', header) == [
        'after epoch',
        'top-1 of the classifier',
        'AP50 from random weights',
        'AP50 from the classifier',
    ]
    assert row.split()[0] == '1' and all(0 <= float(value) <= 1 for value in row.split()[1:])
    assert (runs / 'classifier/epoch_1.pth').stat().st_mtime_ns == before
    assert f'Weights of {runs}/classifier/epoch_1.pth (rexdense, ' in '\n'.join(lines)
    for name in ('from_random', 'from_classifier'):
        file = read_training_file(runs / name / 'epoch_1.pth')
        assert file.config().randomness.seed == 5
        assert file.config().train_cfg.max_epochs == 1


@pytest.mark.parametrize(
    'options',
    [
        ['--pretrained', 'clovaai'],
        ['--load-from', 'a.pth'],
        ['--cfg-options', 'model.backbone.init_cfg.checkpoint=a.pth'],
        ['--cfg-options', 'load_from=a.pth'],
    ],
)
def test_weights_for_all_runs_of_pretraining_are_refused(options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArgument, match='would give weights to all three runs'):
        demo.main(['pretrain', *options])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('name', ['classifier', 'from_random', 'from_classifier'])
def test_an_earlier_run_of_pretraining_is_kept(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    earlier = Path('work_dirs/pretrain_demo', name, 'epoch_1.pth')
    earlier.parent.mkdir(parents=True)
    earlier.write_text('precious')
    with pytest.raises(InvalidArgument, match='replace it with --overwrite, or choose another'):
        demo.main(['pretrain'])
    assert earlier.read_text() == 'precious' and not Path('data').exists()


@pytest.mark.parametrize('config', demo.DEMOS.values())
def test_the_configs_are_there(config):
    assert find_config(config).resolve().is_relative_to(ROOT / 'configs')


@pytest.mark.parametrize('mistake', ['--epoch', 'unett'])
def test_a_mistake_is_told_before_anything_is_drawn(mistake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArgument, match=mistake):
        demo.main(['unet', mistake])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('place', [None, 'mine'])
def test_an_earlier_run_is_kept(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    work_dir = Path(place or 'work_dirs/demo')
    work_dir.mkdir(parents=True)
    (work_dir / 'epoch_1.pth').write_text('precious')
    with pytest.raises(InvalidArgument, match='replace it with --overwrite, or choose another'):
        demo.main(['--work-dir', place] if place else [])
    assert (work_dir / 'epoch_1.pth').read_text() == 'precious'
    assert not Path('data').exists()


def test_the_help_is_that_of_the_demos(capsys):
    with pytest.raises(SystemExit):
        demo.main(['--help'])
    output = ' '.join(capsys.readouterr().out.split())
    assert output.startswith(f'usage: rexdense demo [{{{",".join(demo.DEMOS)}}}] [options] ')
    assert 'rexdense train' not in output and 'work_dirs/unet_demo (unet)' in output
