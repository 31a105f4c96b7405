"""frozen_stages and norm_eval: frozen gradients and statistics."""

import copy

import pytest
import torch
from torch import nn

from tests.models.networks import SMALL, image, network


def level_of(key: str) -> int:
    """Return the level of a tensor; -1 for the stem."""
    return int(key.split('.')[1]) if key.startswith('stages.') else -1


def train_step(backbone):
    optimizer = torch.optim.SGD((p for p in backbone.parameters() if p.requires_grad), lr=0.1)
    sum(level.square().mean() for level in backbone(image(2, 3, 64, 64))).backward()
    optimizer.step()


@pytest.mark.parametrize('frozen_stages', [0, 1, 3, 4])
@pytest.mark.parametrize('name', SMALL)
def test_frozen_levels_do_not_change(name, frozen_stages):
    backbone = network(name, frozen_stages=frozen_stages).train(False).train()
    before = copy.deepcopy(backbone.state_dict())
    if frozen_stages < 4:
        train_step(backbone)
    for key, value in backbone.state_dict().items():
        frozen = level_of(key) <= frozen_stages
        if 'squeeze_excitation.norm' in key and ('running' in key or 'tracked' in key):
            assert torch.equal(value, before[key])  # a small batch never changes these
        else:
            assert torch.equal(value, before[key]) == frozen, key
    for key, value in backbone.named_parameters():
        assert value.requires_grad == (level_of(key) > frozen_stages)
        assert (value.grad is None) == (level_of(key) <= frozen_stages)


@pytest.mark.parametrize('name', SMALL)
def test_freezing_can_be_undone_and_moved(name):
    backbone = network(name, frozen_stages=2)
    assert not backbone.stages[2].training
    backbone.freeze(-1)
    assert all(value.requires_grad for value in backbone.parameters())
    assert all(module.training for module in backbone.modules())
    backbone.eval()
    backbone.freeze(0)
    assert not backbone.training
    assert not backbone.stem.conv.weight.requires_grad
    assert all(value.requires_grad for value in backbone.stages[1:].parameters())
    backbone.train()
    assert not backbone.stem.norm.training
    assert backbone.stages[1].training


def test_parameters_without_gradient_before_have_none_after():
    backbone = network('rexnet_1.0', norm_cfg=dict(type='BN', requires_grad=False))
    backbone.freeze(1)
    backbone.freeze(-1)
    assert backbone.stem.conv.weight.requires_grad
    assert not backbone.stem.norm.weight.requires_grad


def test_a_copy_stays_frozen_by_itself():
    backbone = network('rexnet_1.0', frozen_stages=1)
    twin = copy.deepcopy(backbone)
    backbone.freeze(-1)
    assert not twin.train().stem.norm.training
    assert not twin.stem.conv.weight.requires_grad
    twin.freeze(-1)
    assert twin.stem.conv.weight.requires_grad


@pytest.mark.parametrize('name', SMALL)
def test_norm_eval_keeps_the_statistics_and_trains_the_scales(name):
    backbone = network(name, norm_eval=True)
    assert backbone.training
    before = copy.deepcopy(backbone.state_dict())
    train_step(backbone)
    for key, value in backbone.state_dict().items():
        if 'running' in key or 'tracked' in key:
            assert torch.equal(value, before[key])
    assert not torch.equal(backbone.stem.norm.weight, before['stem.norm.weight'])
    norms = [module for module in backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)


@pytest.mark.parametrize('name', SMALL)
def test_frozen_norms_make_training_and_evaluation_equal(name):
    backbone = network(name, norm_eval=True, norm_cfg=dict(type='BN', requires_grad=False))
    x = image(2, 3, 64, 64)
    trained = backbone(x)
    with torch.no_grad():
        evaluated = backbone.eval()(x)
    for found, expected in zip(trained, evaluated, strict=True):
        torch.testing.assert_close(found, expected)
