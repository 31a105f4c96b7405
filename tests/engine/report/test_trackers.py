"""TensorBoard and Weights & Biases beside the log."""

import sys

import pytest

pytest.importorskip('mmengine')

from mmengine.config import Config

from rexdense.engine.report.trackers import use_tensorboard, use_wandb, without_trackers
from rexdense.errors import InvalidArgument, MissingDependency

LOCAL = dict(type='LocalVisBackend')


def a_package(tmp_path, monkeypatch, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / '__init__.py').touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.parametrize('visualizer', [None, dict(type='Visualizer', vis_backends=[LOCAL])])
def test_backends_are_added_to_the_local_one(visualizer, tmp_path, monkeypatch):
    for name in ('tensorboard', 'wandb'):
        a_package(tmp_path, monkeypatch, name)
    config = Config(dict(visualizer=visualizer))
    use_tensorboard(config)
    use_wandb(config, 'cells')
    use_tensorboard(config)
    added = [
        dict(type='WandbVisBackend', init_kwargs=dict(project='cells')),
        dict(type='TensorboardVisBackend'),
    ]
    assert config.visualizer.vis_backends == [LOCAL, *added]
    without_trackers(config)
    assert config.visualizer.vis_backends == [LOCAL]


@pytest.mark.parametrize('name', ['tensorboard', 'wandb'])
def test_a_package_that_is_missing(name, tmp_path, monkeypatch):
    # A folder of that name, as wandb leaves one, is no package.
    (tmp_path / name).mkdir()
    monkeypatch.setattr(sys, 'path', [str(tmp_path)])
    for module in [each for each in sys.modules if each.split('.')[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    use = use_tensorboard if name == 'tensorboard' else lambda config: use_wandb(config, 'cells')
    config = Config(dict(visualizer=dict(type='Visualizer', vis_backends=[LOCAL])))
    with pytest.raises(MissingDependency) as caught:
        use(config)
    assert str(caught.value) == (
        f'--{name} needs the package {name}, which is not installed: pip install {name}'
    )
    assert config.visualizer.vis_backends == [LOCAL]


@pytest.mark.parametrize('project', ['', ' ', 'a/b', 'what?'])
def test_names_that_no_project_has(project):
    with pytest.raises(InvalidArgument, match=r'--wandb .*: give the name of a project'):
        use_wandb(Config({}), project)
