"""Files of timm and segmentation_models.pytorch: read exactly, or refused with one line."""

from pathlib import Path

import numpy as np
import pytest
import torch

import rexdense
from rexdense.checkpoint import convert_checkpoint, export_backbone
from rexdense.errors import CheckpointMismatch
from tests.checkpoint.peer_extractors import FOREIGN, SMP, TIMM
from tests.models.networks import image, relative_error
from tests.peers import needs_peers, run_in_peers

OURS = {
    'rexnet_100': 'rexnet_1.0',
    'rexnetr_100': 'rexnetr_1.0',
    'regnetx_002': 'regnetx_200mf',
    'regnety_002': 'regnety_200mf',
    'resnext50_32x4d': 'resnext50_32x4d',
}
FILES = [
    *((f'{name}-{kind}', OURS[name]) for name in TIMM for kind in ('list', 'getter', 'hook')),
    *((f'smp-{name}', OURS[name.removeprefix('tu-')]) for name in SMP),
]
TOLERANCE = 1e-5

pytestmark = needs_peers


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('extractors')
    np.save(folder / 'image.npy', image(1, 3, 64, 96).numpy())
    run_in_peers(Path(__file__).with_name('peer_extractors.py'), folder)
    return folder


@pytest.mark.parametrize(('file', 'name'), FILES)
def test_an_extractor_is_read_and_computes_the_same(file, name, folder, tmp_path):
    path = folder / f'{file}.pth'
    export_backbone(path, tmp_path / 'ours.safetensors')
    expected = torch.from_numpy(np.load(folder / f'{file}.npy'))
    for checkpoint in (path, tmp_path / 'ours.safetensors'):
        backbone = rexdense.create_backbone(name, out_indices=(4,)).eval()
        report = rexdense.load_weights(backbone, checkpoint)
        assert report.architecture == name
        with torch.no_grad():
            (level,) = backbone(image(1, 3, 64, 96))
        assert relative_error(level, expected) < TOLERANCE


@pytest.mark.parametrize('network', FOREIGN)
def test_another_kind_is_refused_in_one_line(network, folder, tmp_path):
    path = folder / f'foreign-{network}.pth'
    for name in ('resnext50_32x4d', 'regnety_200mf', 'rexnet_1.0'):
        target = rexdense.create_backbone(name)
        for use in (
            lambda: rexdense.load_weights(target, path, backbone_only=True, drop_head=True),  # noqa: B023
            lambda: convert_checkpoint(path, tmp_path / 'a.pth'),
            lambda: export_backbone(path, tmp_path / 'a.pth'),
        ):
            with pytest.raises(CheckpointMismatch, match='kind') as error:
                use()
            assert '\n' not in str(error.value) and len(str(error.value)) < 600
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('name', ['rexnet_100', 'rexnetr_100'])
def test_weights_for_timms_extractors_have_their_names(name, folder, tmp_path):
    path = folder / f'{name}-list.pth'
    export_backbone(path, tmp_path / 'back.pth', 'timm_features')
    back, theirs = (torch.load(each, weights_only=True) for each in (tmp_path / 'back.pth', path))
    assert list(back) == list(theirs)
    assert all(torch.equal(back[key], theirs[key]) for key in theirs)
