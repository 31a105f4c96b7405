"""Runs that are killed and go on end as if nothing had happened: the same weights, the same log."""

import pytest

pytest.importorskip('mmdet')

import torch
from mmengine.hooks import Hook

from rexdense.cli import train
from rexdense.visualization.scalars import read_scalars
from tests.small_classification import CONFIG as CLASSIFICATION_CONFIG
from tests.small_classification import classification_arguments
from tests.tiny_run import (
    ROOT,
    SEGMENTATION_CONFIG,
    segmentation_arguments,
    train_arguments,
)

UNTIMED = ('time', 'data_time', 'memory', 'eta')


class Killed(BaseException):
    """What no part of a run can catch, as little as SIGKILL."""


class Kill(Hook):
    """End a run before or within a step or a validation, without another word."""

    priority = 'LOWEST'

    def __init__(self, at: int, within: str) -> None:
        self.at, self.within = at, within

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if self.within == 'step' and runner.iter == self.at:
            raise Killed

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.within == 'validation' and runner.iter == self.at:
            raise Killed


def killed(arguments, monkeypatch, at, within='step'):
    """Train until a run is killed."""
    build = train.Runner.from_cfg.__func__

    def with_kill(cls, config):
        runner = build(cls, config)
        runner.register_hook(Kill(at, within))
        return runner

    with monkeypatch.context() as patch:
        patch.setattr(train.Runner, 'from_cfg', classmethod(with_kill))
        with pytest.raises(Killed):
            train.main(arguments)


def content(work_dir, name):
    return torch.load(work_dir / name, weights_only=False)


def flat(value, path=''):
    """The leaves of a nested structure by their path."""
    if isinstance(value, dict):
        value = list(value.items())
    elif isinstance(value, (list, tuple)):
        value = list(enumerate(value))
    else:
        return {path: value}
    return {key: leaf for name, part in value for key, leaf in flat(part, f'{path}/{name}').items()}


def differing(first, second):
    """The paths at which two structures of tensors and numbers differ."""
    first, second = flat(first), flat(second)
    return [
        key
        for key in sorted(first.keys() | second.keys())
        if key not in first
        or key not in second
        or not (
            torch.equal(first[key], second[key])
            if isinstance(first[key], torch.Tensor)
            else first[key] == second[key]
        )
    ]


def logged(work_dir):
    """What a run has logged, without times."""
    return [
        [{key: value for key, value in row.items() if key not in UNTIMED} for row in rows]
        for rows in read_scalars(work_dir)
    ]


def require_same_runs(first, second, name):
    one, other = content(first, name), content(second, name)
    for part in ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers'):
        assert differing(one.get(part, {}), other.get(part, {})) == []
    assert logged(first) == logged(second)


def commands(kind, data, work_dir, *more):
    if kind == 'classified':
        options = classification_arguments(data, work_dir, '--epochs', '2', '--seed', '0', *more)
        return [str(ROOT / CLASSIFICATION_CONFIG), *options]
    if kind == 'segmented':
        options = segmentation_arguments(data, work_dir, '--epochs', '2', '--seed', '0', *more)
        return [str(ROOT / SEGMENTATION_CONFIG), *options]
    return train_arguments(data, work_dir, *more)


@pytest.mark.parametrize(
    ('kind', 'data', 'at', 'within', 'name'),
    [
        ('classified', 'image_folder', 4, 'step', 'epoch_2.pth'),
        ('classified', 'image_folder', 3, 'validation', 'epoch_2.pth'),
        ('segmented', 'label_maps', 3, 'step', 'epoch_2.pth'),
        ('trained', 'shapes', 2, 'step', 'epoch_1.pth'),
    ],
)
def test_a_killed_run_goes_on_exactly(kind, data, at, within, name, tmp_path, request, monkeypatch):
    whole, data = request.getfixturevalue(kind).work_dir, request.getfixturevalue(data)
    arguments = commands(kind, data, tmp_path, '--checkpoint-every', '1i')
    killed(arguments, monkeypatch, at, within)
    train.main([arguments[0], '--resume', *arguments[1:]])
    require_same_runs(whole, tmp_path, name)
    assert not list(tmp_path.glob('step_*'))
