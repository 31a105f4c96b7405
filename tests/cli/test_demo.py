"""The demos: one is run on few pictures, the others' command lines are read."""

import shutil
from pathlib import Path

import pytest

pytest.importorskip('mmseg')

from rexdense.cli import demo
from rexdense.errors import InvalidArgument
from tests.tiny_run import ROOT


@pytest.mark.slow
def test_a_demo_leaves_a_checkpoint_and_its_pictures(shapes, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / 'configs', 'configs')
    demo.main(['unet', '--data-root', str(shapes), '--epochs', '1', '--workers', '0'])
    left = {path.name for path in Path('work_dirs/unet_demo').iterdir()}
    assert {'epoch_1.pth', 'curves.png', 'predictions.png'} <= left
    assert 'mIoU' in capsys.readouterr().out
    assert not Path('data').exists()


@pytest.mark.parametrize('config', demo.DEMOS.values())
def test_the_configs_are_there(config):
    assert (ROOT / config).is_file()


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
