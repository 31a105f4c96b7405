"""The same config in all processes."""

import json

import pytest

pytest.importorskip('mmengine')

from mmengine.config import Config

from rexdense.engine.config.checks.agreement import _values


def test_a_set_has_one_order_in_processes_that_hash_otherwise():
    names = {f'name {number}' for number in range(9)}
    config = Config(dict(train_dataloader=dict(batch_size=2), model=dict(names=names)))
    assert _values(config)['model.names'] == json.dumps(sorted(names))
