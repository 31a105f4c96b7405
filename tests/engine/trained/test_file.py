"""Checkpoints of training runs, and what only looks like them."""

import pytest
import torch

from rexdense.engine.trained.file import read_training_file
from rexdense.errors import CheckpointUnreadable

WEIGHTS = {'layer.weight': torch.ones(2)}


def saved(tmp_path, content):
    torch.save(content, tmp_path / 'a.pth')
    return tmp_path / 'a.pth'


@pytest.mark.parametrize('meta', [5, None, {'dataset_meta': 3, 'cfg': 3}, {}])
def test_classes_and_config_may_be_lacking(meta, tmp_path):
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
        {'state_dict': {'a': 5}},
        {'state_dict': {5: torch.ones(2)}},
        *(
            {'state_dict': WEIGHTS, 'meta': {'dataset_meta': {key: classes}}}
            for key in ('classes', 'CLASSES')
            for classes in (3, 'abc', [None], ['a', ['b']], ['a\ud800'], {'a': 1}, torch.ones(2))
        ),
        [1],
    ],
)
def test_other_files_are_refused(content, tmp_path):
    with pytest.raises(CheckpointUnreadable):
        read_training_file(saved(tmp_path, content))


def test_classes_and_config_are_read(tmp_path):
    meta = {'dataset_meta': {'classes': ['a', 'b']}, 'cfg': "model = dict(type='FasterRCNN')"}
    file = read_training_file(saved(tmp_path, {'state_dict': WEIGHTS, 'meta': meta}))
    assert file.classes == ('a', 'b')
    assert file.config().model.type == 'FasterRCNN'


COLOURS = [[0, 1, 2], (255, 0, 7)]


@pytest.mark.parametrize(
    ('palette', 'expected'),
    [
        (COLOURS, ((0, 1, 2), (255, 0, 7))),
        ([*COLOURS, (9, 9, 9)], ((0, 1, 2), (255, 0, 7))),
        ([[0.0, 1.0, 2.0], [255, 0, 7]], ((0, 1, 2), (255, 0, 7))),
        (COLOURS[:1], None),
        ([], None),
        ([[1e400, 0, 0], [0, 0, 0]], None),
        ([[float('nan'), 0, 0], [0, 0, 0]], None),
        ([[-1, 0, 0], [0, 0, 0]], None),
        ([[0, 256, 0], [0, 0, 0]], None),
        ([[0, 0, 10**400], [0, 0, 0]], None),
        ([torch.ones(3, 3), [0, 0, 0]], None),
        (['red', 'blue'], None),
        ('random', None),
        (5, None),
    ],
)
def test_a_palette_is_a_colour_for_each_class_or_none(palette, expected, tmp_path):
    meta = {'dataset_meta': {'classes': ('a', 7), 'palette': palette}}
    file = read_training_file(saved(tmp_path, {'state_dict': WEIGHTS, 'meta': meta}))
    assert (file.classes, file.palette) == (('a', '7'), expected)
