"""Exported weights in other projects: loaded strictly, with equal outputs."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import rexdense
from rexdense.checkpoint import convert_checkpoint, export_backbone, write_checkpoint
from tests.models.networks import image, randomise, relative_error
from tests.peers import needs_peers, run_in_peers

NETWORKS = [
    ('timm', 'rexnet_100', 'rexnet_1.0'),
    ('timm', 'rexnetr_100', 'rexnetr_1.0'),
    ('timm', 'regnetx_002', 'regnetx_200mf'),
    ('timm', 'regnety_002', 'regnety_200mf'),
    ('timm', 'resnext50_32x4d', 'resnext50_32x4d'),
    ('torchvision', 'regnet_x_400mf', 'regnetx_400mf_tv'),
    ('torchvision', 'regnet_y_400mf', 'regnety_400mf'),
    ('torchvision', 'resnext50_32x4d', 'resnext50_32x4d'),
]
# The same operators, but with another order of additions.
TOLERANCE = 1e-5


def prepare(folder: Path, library: str, theirs: str, name: str) -> list[dict]:
    """Write a network's weights and our outputs; return the jobs for the peers' outputs."""
    folder.mkdir()
    torch.manual_seed(0)
    model = randomise(rexdense.create_classifier(name, out_indices=range(5))).eval()
    trained = write_checkpoint(folder / 'trained.pth', model.state_dict(), {'epoch': 3})
    picture = image(1, 3, 97, 64)
    np.save(folder / 'image.npy', picture.numpy())
    with torch.no_grad():
        levels = model.backbone(picture)
        outputs = {f'c{index}': level for index, level in enumerate(levels, start=1)}
        torch.save({**outputs, 'logits': model(picture)}, folder / 'ours.pt')
    jobs = []
    for part, write in (('backbone', export_backbone), ('classifier', convert_checkpoint)):
        weights = folder / f'{part}{".safetensors" if library == "timm" else ".pth"}'
        write(trained, weights, names=library)
        jobs.append(
            dict(
                library=library,
                network=theirs,
                classifier=part == 'classifier',
                weights=str(weights),
                image=str(folder / 'image.npy'),
                outputs=str(folder / f'{part}.npz'),
            )
        )
    return jobs


@pytest.fixture(scope='module')
def peers(tmp_path_factory) -> Path:
    """A folder with our outputs and the peers', in a folder per network."""
    folder = tmp_path_factory.mktemp('peers')
    jobs = []
    for library, theirs, name in NETWORKS:
        jobs += prepare(folder / f'{library}_{theirs}', library, theirs, name)
    (folder / 'jobs.json').write_text(json.dumps(jobs))
    run_in_peers(Path(__file__).with_name('peer_networks.py'), folder / 'jobs.json')
    return folder


@needs_peers
@pytest.mark.parametrize(('library', 'theirs', 'name'), NETWORKS)
def test_a_backbone_and_a_classifier_compute_the_same_there(library, theirs, name, peers):
    folder = peers / f'{library}_{theirs}'
    ours = torch.load(folder / 'ours.pt')
    expected = {'backbone': {'c1', 'c2', 'c3', 'c4', 'c5'}, 'classifier': {'logits'}}
    for part, names in expected.items():
        with np.load(folder / f'{part}.npz') as outputs:
            assert set(outputs) == names
            for key in names:
                found = torch.from_numpy(outputs[key])
                assert found.shape == ours[key].shape
                assert relative_error(found, ours[key]) < TOLERANCE, key
