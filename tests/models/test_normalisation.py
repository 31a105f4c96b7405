"""Kinds of normalisation, and what squeeze-excitation does with few images."""

import copy

import pytest
import torch
from torch import nn

import rexdense
from rexdense.errors import InvalidArgument
from rexdense.models.normalisation import MINIMUM_POOLED_BATCH, build_norm, normalise_pooled
from tests.models.networks import SMALL, image, network, randomise


@pytest.mark.parametrize('name', SMALL)
@pytest.mark.parametrize(
    ('kind', 'layer'),
    [('BN', nn.BatchNorm2d), ('SyncBN', nn.SyncBatchNorm), ('GN', nn.GroupNorm)],
)
def test_norm_cfg_chooses_every_layer(name, kind, layer):
    with torch.device('meta'):
        backbone = rexdense.create_backbone(name, norm_cfg=dict(type=kind))
    norms = [
        module
        for module in backbone.modules()
        if isinstance(module, nn.modules.batchnorm._NormBase | nn.GroupNorm)
    ]
    assert norms
    assert {type(norm) for norm in norms} == {layer}


@pytest.mark.parametrize('name', SMALL)
@pytest.mark.parametrize('kind', ['BN', 'SyncBN', 'GN'])
def test_a_batch_of_one_trains(name, kind):
    backbone = network(name, norm_cfg=dict(type=kind))
    sum(level.square().mean() for level in backbone(image(1, 3, 64, 64))).backward()
    for key, value in backbone.named_parameters():
        assert value.grad is not None, key
        assert value.grad.isfinite().all(), key


def test_a_batch_of_one_trains_a_classifier_with_a_hidden_layer():
    classifier = randomise(rexdense.create_classifier('rexnet_lite_1.0', num_classes=3)).train()
    classifier(image(1, 3, 64, 64)).sum().backward()
    assert classifier.head.hidden.weight.grad.isfinite().all()


def pooled_norm(channels=6):
    return randomise(nn.BatchNorm2d(channels)).train()


@pytest.mark.parametrize('images', [1, 2, MINIMUM_POOLED_BATCH - 1])
def test_small_batches_are_normalised_with_the_running_statistics(images):
    norm = pooled_norm()
    before = copy.deepcopy(norm.state_dict())
    x = image(images, 6, 1, 1)
    found = normalise_pooled(norm, x)
    assert all(torch.equal(value, before[key]) for key, value in norm.state_dict().items())
    torch.testing.assert_close(found, norm.eval()(x), rtol=0, atol=0)


@pytest.mark.parametrize('images', [MINIMUM_POOLED_BATCH, 40])
def test_larger_batches_are_normalised_as_always(images):
    norm, reference = pooled_norm(), pooled_norm()
    x = image(images, 6, 1, 1)
    torch.testing.assert_close(normalise_pooled(norm, x), reference(x), rtol=0, atol=0)
    assert norm.num_batches_tracked == 1
    assert torch.equal(norm.running_var, reference.running_var)


def test_evaluation_is_that_of_a_plain_batch_norm():
    norm = pooled_norm().eval()
    x = image(3, 6, 1, 1)
    assert torch.equal(normalise_pooled(norm, x), norm(x))


@pytest.mark.parametrize('images', [2, 40])
def test_conversion_to_synchronised_norms_keeps_the_rule(images):
    norm = pooled_norm()
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(norm))
    assert isinstance(converted, nn.SyncBatchNorm)
    x = image(images, 6, 1, 1)
    torch.testing.assert_close(normalise_pooled(converted, x), normalise_pooled(norm, x))
    assert torch.equal(converted.running_mean, norm.running_mean)


def test_a_converted_network_still_trains_on_one_image():
    backbone = network('rexnet_1.0')
    keys = list(backbone.state_dict())
    backbone = nn.SyncBatchNorm.convert_sync_batchnorm(backbone)
    assert list(backbone.state_dict()) == keys
    sum(level.mean() for level in backbone(image(1, 3, 64, 64))).backward()


@pytest.mark.parametrize(('channels', 'groups'), [(64, 32), (61, 1), (27, 27), (185, 5), (8, 8)])
def test_group_counts_are_lowered_to_a_divisor(channels, groups):
    assert build_norm(dict(type='GN', num_groups=32), channels).num_groups == groups
    assert build_norm(dict(type='GN', num_groups=32), channels, pooled=True).num_groups == 1


def test_options_reach_the_layer():
    norm = build_norm(dict(type='BN', eps=1e-3, momentum=0.01, requires_grad=False), 4)
    assert (norm.eps, norm.momentum) == (1e-3, 0.01)
    assert not norm.weight.requires_grad


@pytest.mark.parametrize(
    ('norm_cfg', 'message'),
    [
        (dict(type='BM'), r"norm_cfg type 'BM': did you mean 'BN'"),
        (dict(type='LayerNorm'), 'allowed are BN, GN, SyncBN'),
        (dict(eps=1e-5), 'norm_cfg type None: allowed are'),
        (dict(type='BN', epsilon=1e-5), "'epsilon'"),
        ('BN', r"norm_cfg='BN': give a dict, such as dict\(type='BN'\)"),
    ],
)
def test_unknown_normalisations_are_refused(norm_cfg, message):
    with pytest.raises(InvalidArgument, match=message):
        rexdense.create_backbone('rexnet_1.0', norm_cfg=norm_cfg)
