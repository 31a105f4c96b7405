"""Recomputation: gradients and statistics of the plain network, in less memory."""

import weakref

import pytest
import torch
from torch import nn
from torch.autograd.graph import disable_saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

from rexdense.models.recompute import Recomputed
from tests.models.networks import SMALL, bytes_kept, image, network

MODES = (False, 'activations', True)

modes = pytest.mark.parametrize('with_cp', MODES)
small = pytest.mark.parametrize('name', SMALL)


def pair(name, with_cp, **arguments):
    """Return two equal networks in float64, one in a mode and one without."""
    return [network(name, with_cp=mode, **arguments).double() for mode in (with_cp, False)]


def train(backbone, *images):
    """Run a forward pass for each batch, with the same random numbers, then one backward pass."""
    torch.manual_seed(3)
    levels = [level for x in images for level in backbone(x)]
    sum(level.float().square().mean() for level in levels).backward()
    return levels


def train_plainly(backbone, *images):
    """Train with autograd alone: where hooks are forbidden, nothing is recomputed."""
    with disable_saved_tensors_hooks('not in this test'):
        return train(backbone, *images)


def assert_same_training(backbone, reference, tolerance=1e-9, floor=1e-12):
    """Compare gradients (relative to the largest of the tensor) and buffers (bit by bit).

    A shift whose output is normalised again has no gradient but rounding noise, below ``floor``.
    """
    parameters = zip(backbone.named_parameters(), reference.parameters(), strict=True)
    for (key, found), expected in parameters:
        assert (found.grad is None) == (expected.grad is None), key
        if found.grad is not None:
            error = (found.grad - expected.grad).abs().max()
            assert error <= tolerance * expected.grad.abs().max() + floor, key
    for (key, found), expected in zip(backbone.named_buffers(), reference.buffers(), strict=True):
        assert torch.equal(found, expected), key


@modes
@small
def test_gradients_and_statistics_are_those_of_the_plain_network(name, with_cp):
    x = image(2, 3, 64, 64).double()
    backbone, reference = pair(name, with_cp, drop_path_rate=0.3, out_indices=(0, 2, 4))
    found, expected = train(backbone, x), train_plainly(reference, x)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert_same_training(backbone, reference)
    counters = {
        int(value)
        for key, value in backbone.named_buffers()
        if key.endswith('num_batches_tracked') and 'squeeze_excitation' not in key
    }
    assert counters == {1}


@modes
@pytest.mark.parametrize(
    'arguments',
    [
        dict(norm_eval=True),
        dict(norm_cfg=dict(type='GN')),
        dict(norm_cfg=dict(type='SyncBN')),
        dict(norm_cfg=dict(type='BN', momentum=None)),
        dict(norm_cfg=dict(type='BN', requires_grad=False)),
        dict(norm_cfg=dict(type='BN', affine=False)),
        dict(norm_cfg=dict(type='BN', track_running_stats=False)),
        dict(frozen_stages=1),
        dict(output_stride=8),
        dict(in_channels=1),
    ],
    ids=str,
)
@pytest.mark.parametrize('name', ['rexnet_1.0', 'regnety_200mf'])
def test_gradients_with_other_arguments(name, arguments, with_cp):
    backbone, reference = pair(name, with_cp, out_indices=(3,), **arguments)
    # 16 images, so that squeeze-excitation's norms use the batch's statistics.
    x = image(16, backbone.in_channels, 32, 32).double()
    train(backbone, x)
    train_plainly(reference, x)
    assert_same_training(backbone, reference)


@modes
@small
def test_gradients_of_the_evaluation_mode(name, with_cp):
    backbone, reference = (module.eval() for module in pair(name, with_cp))
    x = image(2, 3, 64, 64).double().requires_grad_()
    train(backbone, x)
    found, x.grad = x.grad, None
    train_plainly(reference, x)
    torch.testing.assert_close(found, x.grad)
    assert_same_training(backbone, reference)


@modes
@small
def test_gradients_under_autocast(name, with_cp):
    backbone, reference = (network(name, with_cp=m, out_indices=(2,)) for m in (with_cp, False))
    x = image(8, 3, 64, 64)
    with torch.autocast('cpu', torch.bfloat16):
        (found,) = train(backbone, x)
        (expected,) = train_plainly(reference, x)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, expected)
    largest = max(value.grad.abs().max() for value in reference.parameters())
    assert_same_training(backbone, reference, tolerance=0.03, floor=1e-3 * largest)


@modes
def test_two_forward_passes_before_one_backward_pass(with_cp):
    backbone, reference = pair('rexnet_1.0', with_cp, out_indices=(3,))
    images = [image(2, 3, 64, 64, seed=seed).double() for seed in (0, 1)]
    train(backbone, *images)
    train_plainly(reference, *images)
    assert_same_training(backbone, reference)


@pytest.mark.parametrize('with_cp', [False, 'activations'])
def test_a_graph_can_be_used_twice(with_cp):
    backbone = network('rexnet_1.0', with_cp=with_cp, out_indices=(3,)).double()
    loss = backbone(image(2, 3, 64, 64).double())[0].square().mean()
    loss.backward(retain_graph=True)
    once = {key: value.grad.clone() for key, value in backbone.named_parameters()}
    loss.backward()
    for key, value in backbone.named_parameters():
        torch.testing.assert_close(value.grad, 2 * once[key])


@modes
@pytest.mark.parametrize('name', ['rexnet_1.0', 'regnety_200mf'])
def test_an_outer_checkpoint_gives_the_same_gradients(name, with_cp):
    backbone, reference = pair(name, with_cp, out_indices=(3,), norm_eval=True)
    x = image(2, 3, 64, 64).double().requires_grad_()
    train(lambda x: checkpoint(backbone, x, use_reentrant=False), x)
    train_plainly(reference, x)
    assert_same_training(backbone, reference)


@pytest.mark.parametrize('with_cp', [False, 'activations'])
def test_an_outer_checkpoint_keeps_the_input_only(with_cp):
    backbone = network('rexnet_1.0', with_cp=with_cp, norm_eval=True, out_indices=(4,))
    maps = []
    for part in backbone.modules():
        if isinstance(part, nn.Conv2d | nn.BatchNorm2d):
            part.register_forward_hook(lambda *details: maps.append(weakref.ref(details[2])))
    levels = checkpoint(backbone, image(2, 3, 64, 64).requires_grad_(), use_reentrant=False)
    assert len(maps) > 100
    # The last one is the level itself: the shortcut is added in place.
    assert [found() for found in maps[:-1]] == [None] * (len(maps) - 1)
    assert levels


@pytest.mark.parametrize('name', ['rexnet_1.0', 'regnety_200mf'])
def test_gradients_of_gradients(name):
    def penalise(module, x):
        loss = module(x)[0].square().mean()
        (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
        gradient.square().sum().backward()

    backbone, reference = (module.eval() for module in pair(name, False, out_indices=(2,)))
    x = image(2, 3, 32, 32).double().requires_grad_()
    penalise(backbone, x)
    with disable_saved_tensors_hooks('not in this test'):
        penalise(reference, x)
    assert_same_training(backbone, reference)


def test_recomputed_silu_refuses_to_be_differentiated_twice():
    backbone = network('rexnet_1.0', with_cp='activations', out_indices=(2,))
    x = image(2, 3, 32, 32).requires_grad_()
    (gradient,) = torch.autograd.grad(backbone(x)[0].square().mean(), x, create_graph=True)
    with pytest.raises(RuntimeError, match='differentiate twice'):
        gradient.square().sum().backward()


@pytest.mark.parametrize('with_cp', [False, 'activations'])
def test_torch_func_computes_gradients(with_cp):
    backbone = network('rexnet_1.0', with_cp=with_cp, out_indices=(1,)).double().eval()
    parameters = {key: value.detach() for key, value in backbone.named_parameters()}
    x = image(1, 3, 32, 32).double()

    def loss(parameters):
        return torch.func.functional_call(backbone, parameters, (x,))[0].float().square().mean()

    found = torch.func.grad(loss)(parameters)
    train(backbone, x)
    for key, value in backbone.named_parameters():
        torch.testing.assert_close(found[key], value.grad)


def test_memory_is_a_share_of_timm_s():
    # timm 1.0.31's rexnet_100 with features_only keeps 732.4 MB for 8 images of 224 x 224.
    timm = 732.4e6 * (64 / 224) ** 2
    shares = [
        bytes_kept(network('rexnet_1.0', with_cp=m, out_indices=(0, 1, 2, 3, 4)), x) / timm
        for m in MODES
        for x in [image(8, 3, 64, 64)]
    ]
    assert shares[0] <= 0.90
    assert shares[1] <= 0.45
    assert shares[2] <= 0.20


@small
def test_recomputing_modes_keep_less_in_every_family(name):
    x = image(4, 3, 64, 64)
    plain, activations, blocks = (bytes_kept(network(name, with_cp=mode), x) for mode in MODES)
    assert blocks < activations < plain


def test_nothing_is_left_over_after_the_backward_pass(monkeypatch):
    made = []
    read = Recomputed.read

    def remember(self):
        made.append(self)
        return read(self)

    monkeypatch.setattr(Recomputed, 'read', remember)
    levels = train(network('rexnet_1.0', with_cp='activations'), image(2, 3, 64, 64))
    assert levels
    assert len(made) > 50
    assert all(item._value is None for item in made)
