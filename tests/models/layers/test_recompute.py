"""Recomputation: the gradients and statistics of the plain network, in less memory."""

import copy
import pickle
import weakref

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.utils.checkpoint import checkpoint

from rexdense.benchmark.memory import StorageCounter, bytes_kept
from rexdense.errors import InvalidArgument
from rexdense.models.layers.convolution import ConvNorm
from rexdense.models.layers.known_norm import norm_silu
from rexdense.models.layers.recompute import (
    is_replayed,
    is_taped,
    recompute,
    resolve_recompute,
)
from tests.models.networks import SMALL, image, network

MODES = (None, 'activations', 'blocks')

modes = pytest.mark.parametrize('how', MODES)
again = pytest.mark.parametrize('how', MODES[1:])
small = pytest.mark.parametrize('name', SMALL)
some = pytest.mark.parametrize('name', ['rexnet_1.0', 'regnety_200mf'])


def networks(name, *how, **arguments):
    """Return equal networks in float64: one per way to recompute, and one for plain training. A
    ReXNet has a block per level, a ResNeXt the first two stages."""
    if name.startswith('rexnet'):
        arguments['depth_mult'] = 0.1
    if name.startswith('resnext'):
        levels = arguments.get('out_indices', (1, 2))
        arguments['out_indices'] = tuple(level for level in levels if level < 3)
    return [network(name, recompute=mode, **arguments).double() for mode in (*how, None)]


def train(backbone, *images):
    """Run a forward pass per batch, with the same random numbers, then one backward pass."""
    torch.manual_seed(3)
    levels = [level for x in images for level in backbone(x)]
    sum(level.float().square().mean() for level in levels).backward()
    return levels


def train_plainly(backbone, *images):
    """Train with autograd alone: in forward-mode differentiation nothing is recomputed."""
    with forward_ad.dual_level():
        return train(backbone, *images)


def assert_same_training(backbone, reference, tolerance=1e-9, floor=1e-12):
    """Compare gradients (relative to the largest of the tensor) and buffers (bit by bit).

    A shift whose output is normalised again has no gradient except rounding noise, below ``floor``.
    """
    parameters = zip(backbone.named_parameters(), reference.parameters(), strict=True)
    for (key, found), expected in parameters:
        where = f'{key}, recompute={getattr(backbone, "recompute", None)}'
        assert (found.grad is None) == (expected.grad is None), where
        if found.grad is not None:
            error = (found.grad - expected.grad).abs().max()
            assert error <= tolerance * expected.grad.abs().max() + floor, where
    for (key, found), expected in zip(backbone.named_buffers(), reference.buffers(), strict=True):
        assert torch.equal(found, expected), key


@small
def test_gradients_and_statistics_are_those_of_the_plain_network(name):
    x = image(2, 3, 64, 64).double()
    *backbones, reference = networks(name, *MODES, drop_path_rate=0.3, out_indices=(0, 2, 4))
    expected = train_plainly(reference, x)
    for backbone in backbones:
        for a, b in zip(train(backbone, x), expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
        assert_same_training(backbone, reference)
        counters = {
            int(value)
            for key, value in backbone.named_buffers()
            if key.endswith('num_batches_tracked') and 'squeeze_excitation' not in key
        }
        assert counters == {1}


@modes
@some
def test_single_precision_gradients_are_within_1e_5(name, how):
    x = image(4, 3, 64, 64)
    backbone, reference = (network(name, recompute=m, out_indices=(3,)) for m in (how, None))
    train(backbone, x)
    train_plainly(reference, x)
    largest = max(value.grad.abs().max() for value in reference.parameters())
    assert_same_training(backbone, reference, tolerance=1e-5, floor=1e-6 * largest)


OTHER_ARGUMENTS = [
    dict(norm_eval=True),
    dict(output_stride=8),
    dict(norm_cfg=dict(type='GN')),
    dict(norm_cfg=dict(type='SyncBN')),
    dict(norm_cfg=dict(type='BN', momentum=None)),
    dict(norm_cfg=dict(type='BN', requires_grad=False)),
    dict(norm_cfg=dict(type='BN', affine=False)),
    dict(norm_cfg=dict(type='BN', track_running_stats=False)),
    dict(frozen_stages=1),
    dict(in_channels=1),
]


@pytest.mark.parametrize(
    ('name', 'arguments'),
    [
        *(('rexnet_1.0', arguments) for arguments in OTHER_ARGUMENTS),
        # Fewer layers of the same kinds.
        *(('regnety_200mf', arguments) for arguments in OTHER_ARGUMENTS[:3]),
    ],
    ids=str,
)
def test_gradients_with_other_arguments(name, arguments):
    # Up to the blocks with squeeze-excitation, or with dilation instead of stride.
    deepest = 3 if 'output_stride' in arguments else 2
    *backbones, reference = networks(name, *MODES, out_indices=(deepest,), **arguments)
    # 16 images, so that the norms in squeeze-excitation use batch statistics.
    x = image(16, reference.in_channels, 32, 32).double()
    train_plainly(reference, x)
    for backbone in backbones:
        train(backbone, x)
        assert_same_training(backbone, reference)


@small
def test_gradients_of_the_evaluation_mode(name):
    *backbones, reference = (module.eval() for module in networks(name, *MODES))
    expected = image(2, 3, 64, 64).double().requires_grad_()
    train_plainly(reference, expected)
    for backbone in backbones:
        x = expected.detach().requires_grad_()
        train(backbone, x)
        torch.testing.assert_close(x.grad, expected.grad)
        assert_same_training(backbone, reference)


@modes
def test_switches_before_the_backward_pass_do_not_count(how):
    backbone, reference = networks('rexnet_1.0', how, out_indices=(2,), drop_path_rate=0.5)
    x = image(8, 3, 32, 32).double()
    torch.manual_seed(3)
    loss = backbone(x)[0].square().mean()
    torch.manual_seed(4)
    backbone.eval()
    loss.backward()
    torch.manual_seed(3)
    with forward_ad.dual_level():
        reference(x)[0].square().mean().backward()
    assert_same_training(backbone, reference)


@again
def test_running_statistics_are_those_that_the_forward_pass_has_read(how):
    """A later forward pass changes them before the backward pass reads them."""
    backbone, reference = networks('rexnet_1.0', how, out_indices=(2,))
    small, large = image(2, 3, 32, 32).double(), image(16, 3, 32, 32, seed=1).double()
    loss = backbone.eval()(small)[0].square().mean()
    backbone.train()(large)
    loss.backward()
    with forward_ad.dual_level():
        reference.eval()(small)[0].square().mean().backward()
        reference.train()(large)
    assert_same_training(backbone, reference)


@modes
@some
def test_random_numbers_after_the_backward_pass_are_those_of_the_plain_network(name, how):
    def draw(backbone):
        train(backbone, image(2, 3, 32, 32).double())
        return torch.rand(3)

    backbone, reference = networks(name, how, out_indices=(2,), drop_path_rate=0.5)
    assert torch.equal(draw(backbone), draw(reference))


@pytest.mark.parametrize('name', ['rexnet_1.0', 'rexnet_lite_1.0', 'regnety_200mf'])
def test_gradients_under_autocast(name):
    reference, x = network(name, out_indices=(2,)), image(8, 3, 32, 32)
    with torch.autocast('cpu', torch.bfloat16):
        (expected,) = train_plainly(reference, x)
    largest = max(value.grad.abs().max() for value in reference.parameters())
    for how in MODES:
        backbone = network(name, recompute=how, out_indices=(2,))
        with torch.autocast('cpu', torch.bfloat16):
            (found,) = train(backbone, x)
        assert found.dtype == torch.bfloat16
        assert torch.equal(found, expected)
        assert_same_training(backbone, reference, tolerance=0.03, floor=1e-3 * largest)


@again
def test_autocast_that_ended_before_the_backward_pass(how):
    backbone, reference = (network('rexnet_1.0', recompute=m, out_indices=(2,)) for m in (how, how))
    x = image(8, 3, 32, 32)
    with torch.autocast('cpu', torch.bfloat16):
        train(reference, x)
        torch.manual_seed(3)
        loss = backbone(x)[0].float().square().mean()
    loss.backward()
    for found, expected in zip(backbone.parameters(), reference.parameters(), strict=True):
        assert torch.equal(found.grad, expected.grad)


@again
def test_autocast_trains_a_block_first_recomputed_and_then_not(how):
    """A weight that was cast without autograd must not stay in autocast's cache."""
    backbone = network('rexnet_1.0', recompute=how, out_indices=(2,), norm_eval=True)
    with torch.autocast('cpu', torch.bfloat16):
        backbone(image(2, 3, 32, 32))
        backbone.recompute = None
        backbone(image(2, 3, 32, 32))[0].float().sum().backward()
    assert all(parameter.grad is not None for parameter in backbone.parameters())


@modes
def test_two_forward_passes_before_one_backward_pass(how):
    backbone, reference = networks('rexnet_1.0', how, out_indices=(3,))
    images = [image(2, 3, 64, 64, seed=seed).double() for seed in (0, 1)]
    train(backbone, *images)
    train_plainly(reference, *images)
    assert_same_training(backbone, reference)


@modes
@pytest.mark.parametrize('name', ['rexnet_1.0', 'rexnet_lite_1.0', 'regnety_200mf'])
def test_passes_of_parts_and_of_the_whole_in_any_order(name, how):
    backbone, reference = networks(name, how, out_indices=(2,))
    x = image(4, 3, 32, 32).double()
    train_plainly(reference, x)
    expected = {key: value.grad for key, value in reference.named_parameters()}
    weights = dict(backbone.named_parameters())
    loss = sum(level.float().square().mean() for level in backbone(x))
    keys = list(weights)
    parts = [keys[-1:], keys[:1], keys[1::5], keys[-3:-1], keys, keys[::-1], keys[::3], keys]
    for part in parts:
        found = torch.autograd.grad(loss, [weights[key] for key in part], retain_graph=True)
        for key, gradient in zip(part, found, strict=True):
            torch.testing.assert_close(gradient, expected[key], rtol=1e-9, atol=1e-12, msg=key)
    for times in (1, 2):
        loss.backward(retain_graph=times == 1)
        for key, value in weights.items():
            torch.testing.assert_close(value.grad, times * expected[key], rtol=1e-9, atol=1e-12)
    with pytest.raises(RuntimeError, match='second time'):
        loss.backward()


@modes
@some
def test_the_input_alone_or_some_parameters_alone(name, how):
    backbone, reference = networks(name, how, out_indices=(2,))
    for module in (backbone, reference):
        for key, parameter in module.named_parameters():
            parameter.requires_grad_('conv' in key or 'reduce' in key)
    x = image(2, 3, 32, 32).double().requires_grad_()
    (found,) = torch.autograd.grad(backbone(x)[0].square().mean(), x)
    with forward_ad.dual_level():
        (expected,) = torch.autograd.grad(reference(x)[0].square().mean(), x)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    train(backbone, x.detach())
    train_plainly(reference, x.detach())
    for (key, found), other in zip(
        backbone.named_parameters(), reference.parameters(), strict=True
    ):
        assert (found.grad is None) == (other.grad is None) == (not found.requires_grad), key
        if found.grad is not None:
            torch.testing.assert_close(found.grad, other.grad, rtol=1e-9, atol=1e-12)


@again
def test_a_network_without_gradients_records_nothing(how):
    backbone = network('rexnet_1.0', recompute=how, out_indices=(2,)).requires_grad_(False)
    assert not backbone(image(2, 3, 32, 32))[0].requires_grad
    with torch.inference_mode():
        backbone(image(2, 3, 32, 32))


@modes
@some
def test_an_outer_checkpoint_gives_the_same_gradients(name, how):
    backbone, reference = networks(name, how, out_indices=(3,), norm_eval=True)
    x = image(2, 3, 64, 64).double().requires_grad_()
    train(lambda x: checkpoint(backbone, x, use_reentrant=False), x)
    train_plainly(reference, x)
    assert_same_training(backbone, reference)


@pytest.mark.parametrize('how', [None, 'activations'])
def test_an_outer_checkpoint_keeps_the_input_only(how):
    backbone = network('rexnet_1.0', recompute=how, norm_eval=True, out_indices=(4,))
    maps = []
    for part in backbone.modules():
        if isinstance(part, nn.Conv2d):
            part.register_forward_hook(lambda *details: maps.append(weakref.ref(details[2])))
    levels = checkpoint(backbone, image(2, 3, 64, 64).requires_grad_(), use_reentrant=False)
    assert len(maps) > 60
    assert [found() for found in maps] == [None] * len(maps)
    assert levels


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('name', ['rexnet_1.0', 'rexnet_lite_1.0', 'regnety_200mf'])
def test_gradients_of_gradients(name, training):
    def penalise(module, x):
        torch.manual_seed(3)
        loss = module(x)[0].square().mean()
        (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
        gradient.square().sum().backward()

    *backbones, reference = (
        module.train(training)
        for module in networks(name, *MODES, out_indices=(2,), drop_path_rate=0.3)
    )
    x = image(4, 3, 32, 32).double().requires_grad_()
    with forward_ad.dual_level():
        penalise(reference, x)
    for backbone in backbones:
        penalise(backbone, x)
        assert_same_training(backbone, reference, tolerance=1e-7, floor=1e-10)


class Calls(nn.Module):
    """A module for a given function of the module and its input, in :func:`numerically_right`."""

    def __init__(self, function, module):
        super().__init__()
        self.function, self.module = function, module

    def forward(self, x):
        return self.function(self.module, x)


def with_parameters(function, module):
    """Return ``function(module, x)`` as a function of x and the module's parameters, and values."""
    calls = Calls(function, module)
    names = [name for name, _ in calls.named_parameters()]

    def run(x, *values):
        return torch.func.functional_call(calls, dict(zip(names, values, strict=True)), (x,))

    return run, [value.detach().clone().requires_grad_() for value in calls.parameters()]


@modes
def test_numerical_differences_agree_with_the_gradients(how):
    block = network('rexnet_1.0', out_indices=(2,)).double().stages[2][0]
    run, parameters = with_parameters(lambda block, x: recompute(block, x, how), block)
    x = image(2, block.in_channels, 3, 3).double().requires_grad_()
    torch.autograd.gradcheck(run, (x, *parameters), fast_mode=True)


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('affine', [False, True])
def test_numerical_differences_agree_with_silu_of_a_norm(training, affine):
    norm = nn.BatchNorm2d(3, affine=affine).double().train(training)
    norm.running_mean.fill_(0.1)
    run, parameters = with_parameters(norm_silu, norm)
    x = image(2, 3, 2, 3).double().requires_grad_()
    torch.autograd.gradcheck(run, (x, *parameters))
    torch.autograd.gradgradcheck(run, (x, *parameters))


@modes
def test_torch_func_computes_gradients(how):
    backbone = network('rexnet_1.0', recompute=how, out_indices=(1,)).double().eval()
    parameters = {key: value.detach() for key, value in backbone.named_parameters()}
    x = image(1, 3, 32, 32).double()

    def loss(parameters):
        return torch.func.functional_call(backbone, parameters, (x,))[0].float().square().mean()

    found = torch.func.grad(loss)(parameters)
    train(backbone, x)
    for key, value in backbone.named_parameters():
        torch.testing.assert_close(found[key], value.grad)


@again
def test_swapped_parameters_get_the_gradients(how):
    """As if an average of the weights replaced a network's."""
    backbone = network('rexnet_1.0', recompute=how, out_indices=(1,)).double().eval()
    other = {
        key: value.detach().mul(1.1).requires_grad_() for key, value in backbone.named_parameters()
    }
    x = image(1, 3, 32, 32).double()
    loss = torch.func.functional_call(backbone, other, (x,))[0].square().mean()
    found = torch.autograd.grad(loss, list(other.values()))
    with torch.no_grad():
        for key, value in backbone.named_parameters():
            value.copy_(other[key])
    with forward_ad.dual_level():
        backbone(x)[0].square().mean().backward()
    for gradient, value in zip(found, backbone.parameters(), strict=True):
        torch.testing.assert_close(gradient, value.grad, rtol=1e-9, atol=1e-12)


@again
def test_copies_and_pickles_train_alike(how):
    backbone = network('rexnet_1.0', recompute=how, out_indices=(2,)).double()
    x = image(2, 3, 32, 32).double()
    backbone(x)
    copies = [copy.deepcopy(backbone), pickle.loads(pickle.dumps(backbone)), backbone]
    for each in copies:
        train(each, x)
    for each in copies[:2]:
        assert each.recompute == how
        assert_same_training(each, backbone)


@again
def test_a_changed_weight_is_an_error_as_in_any_network(how):
    backbone = network('rexnet_1.0', recompute=how, out_indices=(2,))
    loss = backbone(image(2, 3, 32, 32))[0].square().mean()
    with torch.no_grad():
        backbone.stages[1][0].depthwise.conv.weight.add_(1)
    with pytest.raises(RuntimeError, match='modified by an inplace operation'):
        loss.backward()


@again
def test_replicas_which_do_not_tell_their_parameters_run_plainly(how):
    layer = ConvNorm(3, 4, 1, dict(type='BN'))
    replica = layer._replicate_for_data_parallel()
    for name, part in layer.named_children():
        copied = part._replicate_for_data_parallel()
        for key, value in part._parameters.items():
            setattr(copied, key, value if value is None else value * 1)
        setattr(replica, name, copied)
    recompute(replica, image(2, 3, 8, 8), how).sum().backward()
    assert layer.conv.weight.grad is not None


def test_memory_is_a_share_of_timm_s():
    # timm 1.0.31's rexnet_100 with features_only keeps 727.8 MB for 8 images of 224 x 224,
    # including the outputs, measured with the same counter.
    timm = 727.8e6 * (64 / 224) ** 2
    x = image(8, 3, 64, 64)
    plain, activations, blocks = (
        bytes_kept(network('rexnet_1.0', recompute=how, out_indices=(0, 1, 2, 3, 4)), x) / timm
        for how in MODES
    )
    assert plain <= 0.75
    assert activations <= 0.42
    assert blocks <= 0.10


@small
def test_recomputing_modes_keep_less_in_every_family(name):
    x = image(4, 3, 64, 64)
    plain, activations, blocks = (bytes_kept(network(name, recompute=how), x) for how in MODES)
    assert blocks < activations < plain


@again
def test_nothing_is_left_over_after_partial_passes(how):
    backbone = network('rexnet_1.0', recompute=how, out_indices=(4,), norm_eval=True)
    x, weight = image(2, 3, 64, 64), backbone.stages[2][0].depthwise.conv.weight
    counter = StorageCounter((x, *backbone.parameters(), *backbone.buffers()))
    with counter:
        loss = backbone(x)[0].square().mean()
        before = counter.bytes_alive()
        torch.autograd.grad(loss, weight, retain_graph=True)
        assert counter.bytes_alive() == before


@again
def test_a_backward_pass_of_another_network_within_a_block(how):
    """As a hook may run; the block is recomputed as if there were none."""
    torch.manual_seed(0)
    other_x = torch.randn(2, 4, 5, 5, requires_grad=True)
    other = recompute(nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)), other_x, how).sum()
    block = nn.Sequential(*(ConvNorm(4, 4, 3, dict(type='BN')) for _ in range(2))).double()
    plain, states = copy.deepcopy(block), []

    def run_other(*_):
        before = is_replayed(), is_taped()
        torch.autograd.grad(other, other_x, retain_graph=True)
        states.append((before, (is_replayed(), is_taped())))

    block[0].register_forward_hook(run_other)
    x = torch.randn(2, 4, 9, 9, dtype=torch.float64)
    for module, mode in ((block, how), (plain, None)):
        recompute(module, x.clone().requires_grad_(), mode).square().sum().backward()
    assert states == [((True, how == 'activations'),) * 2] * 2
    assert_same_training(block, plain)
    assert not is_replayed() and not is_taped()


def test_resolve_recompute():
    assert resolve_recompute(False, None) is None
    assert resolve_recompute(True, None) == resolve_recompute(True, 'blocks') == 'blocks'
    assert resolve_recompute(False, 'activations') == 'activations'


@pytest.mark.parametrize(
    ('with_cp', 'how', 'message'),
    [
        ('activations', None, "^with_cp='activations': write recompute='activations'"),
        ('blocks', None, "^with_cp='blocks': write recompute='blocks'"),
        (1, None, '^with_cp=1: allowed are False and True'),
        (None, None, '^with_cp=None: allowed are False and True'),
        ([], None, r'^with_cp=\[\]: allowed are False and True'),
        (False, True, "^recompute=True: allowed are None, 'blocks'"),
        (False, ['blocks'], r"^recompute=\['blocks'\]: allowed are None, 'blocks'"),
        (True, 'activations', "^with_cp=True with recompute='activations'.* leave one of them out"),
    ],
)
def test_refused_values(with_cp, how, message):
    with pytest.raises(InvalidArgument, match=message):
        resolve_recompute(with_cp, how)
