"""Logged values are kept as long as the log needs them, and it says the same."""

import pytest

pytest.importorskip('mmengine')

from benchmarks.kills import logged
from rexdense.checkpoint import read_checkpoint
from rexdense.engine.hooks.histories import ShortHistories
from tests.engine.resume.toy_run import last, run, toy_config

EPOCH = [dict(data_src='loss', log_name='epoch_loss', method_name='mean', window_size='epoch')]
GLOBAL = [dict(data_src='loss', log_name='run_loss', method_name='max', window_size='global')]
ALL = [dict(data_src='loss', log_name='run_loss', method_name='min')]


def lengths(work_dir, custom):
    """The most values that the last checkpoint of a run of 16 steps has of training and of a
    validation of 4 batches."""
    config = toy_config(work_dir, every=None)
    config.log_processor.custom_cfg = custom
    run(config)
    content = read_checkpoint(work_dir / last(work_dir)).content
    histories = content['message_hub']['log_scalars']
    return [
        max(len(each.data[0]) for name, each in histories.items() if name.startswith(mode))
        for mode in ('train/', 'val/')
    ]


@pytest.mark.parametrize(
    ('custom', 'most'), [([], [3, 4]), (EPOCH, [4, 4]), (GLOBAL, [16, 16]), (ALL, [16, 16])]
)
def test_values_are_kept_as_long_as_the_log_needs_them(custom, most, tmp_path, monkeypatch):
    assert lengths(tmp_path / 'short', custom) == most
    monkeypatch.setattr(ShortHistories, 'before_train', lambda self, runner: None)
    assert lengths(tmp_path / 'whole', custom) == [16, 16]
    assert logged(tmp_path / 'short') == logged(tmp_path / 'whole') != [[], []]
