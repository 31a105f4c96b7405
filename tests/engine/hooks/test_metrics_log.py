"""The metrics of an evaluation, which one of several processes writes."""

import pytest

pytest.importorskip('mmengine')

from mmengine.dist import utils
from mmengine.hooks import LoggerHook

from rexdense.engine.runner import Runner
from tests.engine.resume.toy_run import toy_config


def test_only_the_first_process_writes_the_metrics(tmp_path, monkeypatch):
    runner = Runner.from_cfg(toy_config(tmp_path))
    (hook,) = (hook for hook in runner.hooks if isinstance(hook, LoggerHook))
    written = []
    monkeypatch.setattr(LoggerHook, 'after_test_epoch', lambda *_: written.append(utils.get_rank()))
    for rank in (1, 0):
        monkeypatch.setattr(utils, 'get_rank', lambda group=None, rank=rank: rank)
        hook.after_test_epoch(runner, {})
    assert written == [0]
