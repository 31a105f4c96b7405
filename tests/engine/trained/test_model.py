"""Models of training checkpoints whose facts on the classes were tampered with."""

import pytest

pytest.importorskip('mmdet')
pytest.importorskip('mmseg')

import torch

from rexdense.cli import predict
from rexdense.engine.trained.model import load_trained_model
from rexdense.errors import CheckpointUnreadable
from tests.tiny_run import CONFIG, SEGMENTATION_CONFIG
from tests.untrained import untrained

PALETTE = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


@pytest.fixture(scope='module')
def segmentor():
    return untrained(SEGMENTATION_CONFIG)


@pytest.fixture(scope='module')
def detector():
    return untrained(CONFIG)


def told(content, path, **said):
    """A copy of a checkpoint with other facts on the data."""
    torch.save({**content, 'meta': {**content['meta'], 'dataset_meta': said}}, path)
    return path


@pytest.mark.parametrize('classes', [(), ('a',), ('a', 'b', 'c', 'd')])
def test_another_number_of_names_than_of_classes_is_refused(segmentor, detector, classes, tmp_path):
    for content in (segmentor, detector):
        path = told(content, tmp_path / 'a.pth', classes=classes)
        with pytest.raises(
            CheckpointUnreadable,
            match=rf'a\.pth holds {len(classes)} class names, and a model of 3 classes',
        ):
            load_trained_model(path, 'cpu')
    arguments = [str(path), str(tmp_path), '--out-dir', str(tmp_path / 'out'), '--device', 'cpu']
    (tmp_path / 'x.png').write_bytes(b'')
    with pytest.raises(CheckpointUnreadable, match='holds'):
        predict.main(arguments)
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    ('palette', 'kept'), [(PALETTE, True), (PALETTE[:2], False), ([[-1, 0, 0]] * 3, False)]
)
def test_a_palette_that_cannot_be_drawn_with_is_none(segmentor, palette, kept, tmp_path):
    path = told(segmentor, tmp_path / 'a.pth', classes=['a', 'b', 'c'], palette=palette)
    found = load_trained_model(path, 'cpu').palette
    assert found == (tuple(map(tuple, PALETTE)) if kept else None)
