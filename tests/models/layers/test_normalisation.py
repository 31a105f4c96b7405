"""Kinds of normalisation, and squeeze-excitation with few images."""

import copy

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.nn.modules.module import register_module_forward_hook
from torch.utils.checkpoint import checkpoint

import rexdense
from rexdense.errors import InvalidArgument
from rexdense.models.layers.convolution import ConvNorm
from rexdense.models.layers.normalisation import (
    MINIMUM_POOLED_BATCH,
    accept_single_values,
    build_norm,
    normalise,
    normalise_pooled,
)
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
@pytest.mark.parametrize(
    ('kind', 'side'), [('BN', 64), ('BN', 32), ('SyncBN', 64), ('GN', 64), ('GN', 32)]
)
def test_a_batch_of_one_trains(name, kind, side):
    """At 32 pixels, the last level has one value per channel."""
    backbone = network(name, norm_cfg=dict(type=kind))
    sum(level.square().mean() for level in backbone(image(1, 3, side, side))).backward()
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


def test_other_projects_norms_train_on_a_single_value():
    norm = pooled_norm()
    model = nn.Sequential(norm).train()
    with pytest.raises(ValueError, match='more than 1 value per channel'):
        model(image(1, 6, 1, 1))
    before = copy.deepcopy(norm.state_dict())
    accept_single_values(model)
    model = copy.deepcopy(model)  # as an average of the weights is
    x = image(1, 6, 1, 1).requires_grad_()
    found = model(x)
    found.sum().backward()
    assert x.grad.abs().min() > 0 and model[0].weight.grad is not None
    after = model[0].state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
    assert model[0].training
    torch.testing.assert_close(found, norm.eval()(x), rtol=0, atol=0)


def test_a_recomputed_norm_trains_on():
    model = nn.Sequential(nn.Conv2d(6, 6, 1), pooled_norm())
    accept_single_values(model)
    x = image(1, 6, 1, 1).requires_grad_()
    checkpoint(model, x, use_reentrant=False).sum().backward()
    assert model[1].training
    model(image(2, 6, 1, 1))
    assert model[1].num_batches_tracked == 1


@pytest.mark.parametrize('shape', [(2, 6, 1, 1), (1, 6, 1, 2)])
def test_other_projects_norms_train_on_several_values_as_always(shape):
    model, reference = nn.Sequential(pooled_norm()), pooled_norm()
    accept_single_values(model)
    x = image(*shape)
    torch.testing.assert_close(model(x), reference(x), rtol=0, atol=0)
    assert model.training and model[0].training and model[0].num_batches_tracked == 1
    model.eval()(image(1, 6, 1, 1))
    assert not model[0].training


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


@pytest.mark.parametrize('name', SMALL)
def test_overwriting_maps_without_autograd_changes_no_value(name):
    backbone = network(name, out_indices=(0, 1, 2, 3, 4)).eval()
    x = image(2, 3, 65, 97)
    before = x.clone()
    with torch.no_grad():
        levels = backbone(x)
    assert torch.equal(x, before)
    for found, expected in zip(levels, backbone(x), strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize('affine', [True, False])
def test_a_batch_norm_overwrites_what_a_convolution_has_computed(dtype, memory_format, affine):
    conv = nn.Conv2d(8, 8, 3)
    norm = randomise(nn.BatchNorm2d(8, affine=affine)).eval().to(dtype)
    x = image(2, 8, 9, 9).to(dtype=dtype, memory_format=memory_format)
    with torch.no_grad():
        expected = norm(x)
        found = normalise(norm, x, source=conv)
    assert found is x
    assert torch.equal(found, expected)
    assert found.stride() == expected.stride()


class Aliasing(nn.Conv2d):
    """Returns its input, as a replacement of a convolution might."""

    def forward(self, x):
        return x


@pytest.mark.parametrize('conv', [nn.Identity(), Aliasing(3, 3, 1)], ids=['identity', 'subclass'])
def test_an_input_that_was_not_computed_here_is_left_alone(conv):
    layer = randomise(ConvNorm(3, 3, 1, dict(type='BN'))).eval()
    layer.conv = conv
    x = image(1, 3, 9, 9)
    before = x.clone()
    with torch.no_grad():
        found = layer(x)
    assert torch.equal(x, before) and not torch.equal(found, before)


@pytest.mark.parametrize('part', ['conv', 'norm', 'all'])
def test_outputs_that_hooks_keep_are_not_overwritten(part):
    layer = randomise(ConvNorm(3, 8, 3, dict(type='BN'))).eval()
    kept = []

    def keep(module, inputs, output):
        kept.append((output, output.clone()))

    register = register_module_forward_hook
    hook = (register if part == 'all' else getattr(layer, part).register_forward_hook)(keep)
    with torch.no_grad(), hook:
        layer(image(1, 3, 9, 9))
    assert len(kept) == (3 if part == 'all' else 1)
    assert all(torch.equal(output, copy) for output, copy in kept)


def test_mixed_precision_normalises_as_under_autograd():
    backbone = network('rexnet_1.0', out_indices=(1,)).eval()
    x = image(1, 3, 64, 64)
    with torch.autocast('cpu', torch.bfloat16):
        (expected,) = backbone(x)
        with torch.no_grad():
            (found,) = backbone(x)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, expected)


def test_torch_func_and_forward_differentiation_see_every_map():
    layer = randomise(ConvNorm(3, 8, 3, dict(type='BN'))).eval()
    x, tangent = image(4, 1, 3, 9, 9), image(4, 1, 3, 9, 9, seed=1)
    expected, derivative = torch.func.jvp(layer, (x[0],), (tangent[0],))
    with torch.no_grad():
        torch.testing.assert_close(torch.func.vmap(layer)(x)[0], expected)
        torch.testing.assert_close(
            torch.func.jvp(layer, (x[0],), (tangent[0],)), (expected, derivative)
        )
        with forward_ad.dual_level():
            dual = layer(forward_ad.make_dual(x[0], tangent[0]))
            torch.testing.assert_close(tuple(forward_ad.unpack_dual(dual)), (expected, derivative))
