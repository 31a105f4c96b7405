"""Weights that torch computes from other tensors: the error names them and the remedy."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

import rexdense
from rexdense.errors import CheckpointMismatch
from tests.checkpoint.trained_networks import assert_equal, named_by


def pruned(module):
    prune.l1_unstructured(module, 'weight', 0.3)


CASES = {
    'pruned': (pruned, r'prune\.remove'),
    'parametrised': (parametrizations.weight_norm, 'remove_parametrizations'),
    'weight-normalised': (nn.utils.weight_norm, 'remove_weight_norm'),
    'spectrally normalised': (nn.utils.spectral_norm, 'remove_spectral_norm'),
}


@pytest.fixture(params=CASES)
def case(request, trained):
    """The description of a network, the network, the remedy, and one of its modules."""
    made, remedy = CASES[request.param]
    model = copy.deepcopy(trained)
    for module in [part for part in model.modules() if isinstance(part, nn.Conv2d)][-3:]:
        made(module)
    return rf'holds {request.param} weights .* call torch\.nn\.utils\..*{remedy}', model


@pytest.mark.filterwarnings('ignore:.*weight_norm')
def test_the_reason_and_the_remedy_are_named(case):
    said, model = case
    target = rexdense.create_backbone('rexnet_1.0')
    for state in (model.state_dict(), model.backbone.state_dict()):
        with pytest.raises(CheckpointMismatch, match=said):
            rexdense.load_weights(target, state)
        with pytest.raises(CheckpointMismatch, match=said):
            rexdense.load_weights(target, state, strict=False)


def test_pruned_weights_load_after_the_pruning_is_removed(trained):
    model = copy.deepcopy(trained)
    module = next(part for part in model.modules() if isinstance(part, nn.Conv2d))
    pruned(module)
    prune.remove(module, 'weight')
    target = rexdense.create_classifier('rexnet_1.0')
    rexdense.load_weights(target, model.state_dict())
    assert_equal(target, model.state_dict())


def test_other_networks_of_a_file_may_be_pruned(state):
    critic = nn.Sequential(nn.Conv2d(3, 3, 1))
    pruned(critic[0])
    beside = {f'critic.{key}': tensor for key, tensor in critic.state_dict().items()}
    target = rexdense.create_backbone('rexnet_1.0')
    below = {f'backbone.{key}': tensor for key, tensor in named_by('clovaai', state).items()}
    report = rexdense.load_weights(target, below | beside)
    assert not report.missing
    assert torch.equal(target.stem.conv.weight, state['backbone.stem.conv.weight'])
