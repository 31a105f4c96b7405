"""Runs that are killed and go on end as if nothing had happened: the same weights, the same log."""

import pytest

pytest.importorskip('mmdet')

from mmengine.hooks import Hook

from benchmarks.kills import differences
from rexdense.cli import train
from tests.small_classification import CONFIG as CLASSIFICATION_CONFIG
from tests.small_classification import classification_arguments
from tests.tiny_run import (
    ROOT,
    SEGMENTATION_CONFIG,
    segmentation_arguments,
    train_arguments,
)


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
    torn = tmp_path / '.epoch_2.pth.0123456789abcdef.part'
    torn.write_bytes(b'torn')
    train.main([arguments[0], '--resume', *arguments[1:]])
    assert differences(whole / name, tmp_path / name) == []
    assert not list(tmp_path.glob('step_*')) and not torn.exists()
