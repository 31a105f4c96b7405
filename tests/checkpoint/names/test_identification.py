"""Identification of the network in a checkpoint."""

import pytest
import torch

import rexdense
from rexdense.checkpoint import identify
from rexdense.errors import CheckpointMismatch
from tests.checkpoint.trained_networks import named_by


@pytest.mark.parametrize('name', rexdense.list_backbones())
def test_every_named_network_is_identified(name):
    with torch.device('meta'):
        model = rexdense.create_classifier(name)
    assert identify(model.state_dict()) == name
    assert identify(model.backbone.state_dict()) == name


def test_the_same_levels_of_two_networks_are_not_told_apart():
    backbone = rexdense.create_backbone('rexnet_1.0', out_indices=(0,))
    with pytest.raises(CheckpointMismatch, match=r'same in rexnet_0\.9, rexnet_1\.0'):
        identify(backbone.state_dict())
    assert rexdense.load_weights(backbone, backbone.state_dict()).architecture == 'rexnet_1.0'


def test_a_network_of_a_family_that_the_project_lacks(state):
    target = rexdense.create_backbone('regnetx_200mf')
    with pytest.raises(CheckpointMismatch, match=r'looks like rexnet_1\.0 of clovaai/rexnet'):
        rexdense.load_weights(target, named_by('clovaai', state), strict=False)
