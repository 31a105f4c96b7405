"""Published weights by name: lookup, download from a local server, loading."""

import dataclasses
import hashlib
import io
import sys
import types
from pathlib import Path

import pytest
import torch

import rexdense
from rexdense.checkpoint import convert_checkpoint, export_backbone, published
from rexdense.errors import (
    CheckpointUnreadable,
    InvalidArgument,
    MissingDependency,
    UnknownName,
)
from rexdense.zoo import weights as table

NAME = 'regnetx_200mf'


@pytest.fixture
def trained():
    torch.manual_seed(0)
    return rexdense.create_classifier(NAME, num_classes=1000)


@pytest.fixture
def row(trained, serve_weights):
    """The only row of the table, with a file on a local server."""
    return serve_weights(NAME, 'pycls', trained.state_dict(), alone=True, publisher='here', tag='a')


@pytest.mark.parametrize('choice', [True, 'here', 'here.a'])
def test_a_backbone_gets_them(row, trained, choice, tmp_path):
    backbone = rexdense.create_backbone(NAME, pretrained=choice)
    assert torch.equal(backbone.stem.conv.weight, trained.backbone.stem.conv.weight)
    assert (tmp_path / 'cache' / 'weights-12345678.pth').is_file()


def test_a_classifier_gets_the_head_too_unless_its_classes_differ(row, trained):
    whole = rexdense.create_classifier(NAME, pretrained='here')
    assert torch.equal(whole.head.fc.weight, trained.head.fc.weight)
    other = rexdense.create_classifier(NAME, num_classes=3, pretrained='here')
    assert other.head.fc.weight.shape[0] == 3
    assert torch.equal(other.backbone.stem.conv.weight, trained.backbone.stem.conv.weight)


def test_a_u_net_gets_them_in_its_backbone(row, trained):
    unet = rexdense.create_unet(NAME, num_classes=3, pretrained='here')
    assert torch.equal(unet.backbone.stem.conv.weight, trained.backbone.stem.conv.weight)


def test_load_weights_takes_the_name(row, trained):
    backbone = rexdense.create_backbone(NAME)
    report = rexdense.load_weights(backbone, f'{NAME}:here')
    assert report.complete
    assert torch.equal(backbone.stem.conv.weight, trained.backbone.stem.conv.weight)


def test_another_file_than_was_published_is_refused(row, monkeypatch):
    wrong = dataclasses.replace(row, sha256='0' * 64)
    monkeypatch.setattr(table, 'load_published_weights', lambda: (wrong,))
    with pytest.raises(CheckpointUnreadable, match='SHA-256'):
        rexdense.create_backbone(NAME, pretrained='here')


def test_an_unknown_publisher_is_told(row):
    with pytest.raises(UnknownName, match='here'):
        rexdense.load_weights(rexdense.create_backbone(NAME), f'{NAME}:her')


def test_a_file_on_google_drive_says_where_to_put_it_by_hand(tmp_path, monkeypatch):
    monkeypatch.setenv('REXDENSE_CACHE', str(tmp_path))
    monkeypatch.setitem(sys.modules, 'gdown', None)
    with pytest.raises(MissingDependency, match=rf'put it at {tmp_path}.*pip install gdown'):
        published.published_file('rexnet_1.0:clovaai')
    (tmp_path / 'rexnet_1.0.clovaai.in1k.pth').write_bytes(b'by hand')
    assert published.published_file('rexnet_1.0:clovaai').read_bytes() == b'by hand'


@pytest.mark.parametrize(
    ('content', 'what'),
    [(b'<!DOCTYPE html>Quota exceeded', 'is a web page'), (b'', 'is empty'), (None, '.* cut off')],
)
def test_a_page_or_half_a_file_from_google_drive_is_not_kept(content, what, tmp_path, monkeypatch):
    file = io.BytesIO()
    torch.save({'a': torch.ones(5000)}, file)
    sent = [file.getvalue()[:-900] if content is None else content, file.getvalue()]

    def sending(id, output):
        Path(output).write_bytes(sent.pop(0))
        return output

    monkeypatch.setenv('REXDENSE_CACHE', str(tmp_path))
    # This replaces gdown, which needs a network.
    monkeypatch.setitem(sys.modules, 'gdown', types.SimpleNamespace(download=sending))
    with pytest.raises(
        CheckpointUnreadable,
        match=rf'came from rexnet_1\.0:clovaai\S* {what}.*put it at {tmp_path}',
    ):
        published.published_file('rexnet_1.0:clovaai')
    assert all(path.suffix == '.lock' for path in tmp_path.iterdir())
    assert published.published_file('rexnet_1.0:clovaai').read_bytes() == file.getvalue()


@pytest.mark.parametrize(
    ('name', 'is_one'),
    [('rexnet_1.0:timm', True), ('rexnet_1.0', False), ('a:b', False), ('C:weights.pth', False)],
)
def test_names_of_published_weights_are_recognised(name, is_one):
    assert published.is_published_name(name) == is_one


@pytest.mark.parametrize('cached', [True, False])
@pytest.mark.parametrize('write', [convert_checkpoint, export_backbone])
def test_the_cached_file_is_never_replaced(row, cached, write, tmp_path):
    file = tmp_path / 'cache' / 'weights-12345678.pth'
    file.parent.mkdir()
    if cached:
        published.published_file(row.name)
    with pytest.raises(InvalidArgument, match=r'is read.* by this command and would be replaced'):
        write(row.name, file, overwrite=True)
    assert file.exists() is cached
    if cached:
        assert hashlib.sha256(file.read_bytes()).hexdigest() == row.sha256
