"""The config in a checkpoint is data: nothing in it is run."""

import re

import pytest

pytest.importorskip('mmdet')

import torch
from mmengine.config import Config

from rexdense.engine import predict
from rexdense.engine.config import load_config
from rexdense.engine.stored_config import read_stored_config, require_known_types
from rexdense.errors import CheckpointUnreadable
from tests.engine.tiny_run import ROOT

CONFIGS = sorted(
    path
    for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.relative_to(ROOT).parts
)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_what_mmengine_writes_is_read_back(path):
    config = load_config(path)
    again = read_stored_config(config.pretty_text, 'file.pth')
    assert (
        again.to_dict()
        == config.to_dict()
        == Config.fromstring(config.pretty_text, '.py').to_dict()
    )
    require_known_types(again, 'file.pth', trusted=False)


def test_all_kinds_of_values():
    values = dict(
        number=-1.5, whole=-3, far=float('inf'), word="it's", yes=True, nothing=None,
        several=[(1, 2), {'a b': [dict(c={3})]}], empty=dict(),
    )  # fmt: skip
    assert read_stored_config(Config(values).pretty_text, 'file.pth').to_dict() == values


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ("import os\nos.system('true')", 'line 1 is no assignment'),
        ("a = 1\nb = __import__('os').system('true')", "line 2 holds \"__import__('os')"),
        ('a = dict(b=open)', "line 1 holds 'open'"),
        ('a = dict([(1, 2)])', 'line 1 holds'),
        ('a = [b for b in range(3)]', 'line 1 holds'),
        ('a.b = 1', "'Attribute' object has no attribute 'id'"),
        ('a = (', 'never closed'),
    ],
)
def test_code_is_refused(text, expected):
    with pytest.raises(CheckpointUnreadable, match=re.escape(expected)) as caught:
        read_stored_config(text, 'file.pth')
    assert str(caught.value).startswith('the config in file.pth is more than a list of values (')


@pytest.mark.parametrize(
    'values',
    [
        dict(model=dict(type='os.system')),
        dict(pipeline=[dict(type='mmdet.Resize'), dict(type='subprocess.run')]),
        dict(custom_imports=dict(imports=['os'])),
    ],
)
def test_foreign_types_are_refused_unless_trusted(values):
    config = Config(values)
    with pytest.raises(CheckpointUnreadable, match=r'file\.pth wants to import (os|subprocess)'):
        require_known_types(config, 'file.pth', trusted=False)
    require_known_types(config, 'file.pth', trusted=True)


def test_predicting_runs_nothing_of_the_checkpoint(trained, shapes, tmp_path):
    content = torch.load(trained.checkpoint, weights_only=False)
    mark = tmp_path / 'mark'
    content['meta']['cfg'] += f'\nopen({str(mark)!r}, "w")\n'
    torch.save(content, tmp_path / 'evil.pth')
    with pytest.raises(CheckpointUnreadable, match='more than a list of values'):
        predict.main([str(tmp_path / 'evil.pth'), str(shapes / 'images/val'), '--out-dir', 'x'])
    assert not mark.exists()
