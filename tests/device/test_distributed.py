"""Processes that train together."""

import pytest

pytest.importorskip('mmengine')

from torch import nn

from rexdense.device import bare_model, initialise_distributed
from rexdense.errors import InvalidArgument


def test_distributed_without_torchrun(monkeypatch):
    monkeypatch.delenv('RANK', raising=False)
    with pytest.raises(InvalidArgument, match='start with torchrun --nproc-per-node N'):
        initialise_distributed('cpu')


def test_bare_model():
    model = nn.Linear(1, 1)
    assert bare_model(model) is model
    assert bare_model(nn.DataParallel(model)) is model
