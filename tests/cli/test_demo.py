"""The demos' command line; what they train is tested with the configs."""

from pathlib import Path

import pytest

pytest.importorskip('mmdet')

from rexdense.cli import demo, train
from rexdense.errors import InvalidArgument
from tests.tiny_run import ROOT


@pytest.fixture
def started(monkeypatch, tmp_path):
    """What would be drawn and trained."""
    calls = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, 'make_shapes', lambda root: calls.append(root))
    monkeypatch.setattr(train, 'main', lambda command: calls.append(command))
    return calls


@pytest.mark.parametrize(
    'arguments, name, work_dir',
    [([], 'detection', 'demo'), (['unet', '--epochs', '1'], 'unet', 'unet_demo')],
)
def test_a_demo_is_chosen_by_its_name(started, arguments, name, work_dir):
    demo.main(arguments)
    root, command = started
    assert root == Path('data/shapes')
    options = train.parser().parse_args(command)
    assert options.config == demo.DEMOS[name] and (ROOT / options.config).is_file()
    assert options.work_dir == Path('work_dirs') / work_dir
    assert options.epochs == (1 if arguments else None)


@pytest.mark.parametrize('mistake', ['--epoch', 'unett'])
def test_a_mistake_is_told_before_anything_is_drawn(started, mistake):
    with pytest.raises(InvalidArgument, match=mistake):
        demo.main(['unet', mistake])
    assert not started
