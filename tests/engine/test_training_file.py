"""Checkpoints of training runs, and what only looks like them."""

import pytest
import torch

from rexdense.engine.training_file import read_training_file
from rexdense.errors import CheckpointUnreadable

WEIGHTS = {'layer.weight': torch.ones(2)}


def saved(tmp_path, content):
    torch.save(content, tmp_path / 'a.pth')
    return tmp_path / 'a.pth'


@pytest.mark.parametrize('meta', [5, None, {'dataset_meta': 3, 'cfg': 3}, {}])
def test_what_a_file_does_not_say_is_not_known(meta, tmp_path):
    path = saved(tmp_path, {'state_dict': WEIGHTS, 'meta': meta})
    file = read_training_file(path)
    assert (file.classes, file.config_text) == (None, None)
    assert torch.equal(file.state['layer.weight'], WEIGHTS['layer.weight'])
    with pytest.raises(CheckpointUnreadable, match='holds no config'):
        file.config()


@pytest.mark.parametrize(
    'content',
    [
        {'state_dict': [1]},
        {'state_dict': WEIGHTS, 'meta': {'dataset_meta': {'classes': 3}}},
        [1],
    ],
)
def test_what_is_no_training_file_is_refused(content, tmp_path):
    with pytest.raises(CheckpointUnreadable):
        read_training_file(saved(tmp_path, content))


def test_classes_and_config_are_read(tmp_path):
    meta = {'dataset_meta': {'classes': ['a', 'b']}, 'cfg': "model = dict(type='FasterRCNN')"}
    file = read_training_file(saved(tmp_path, {'state_dict': WEIGHTS, 'meta': meta}))
    assert file.classes == ('a', 'b')
    assert file.config().model.type == 'FasterRCNN'
