"""Optimised networks: the same outputs, a copy, and one-line refusals."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, spectral_norm
from torch.utils._pytree import tree_leaves

import rexdense
from rexdense.deploy import optimize
from rexdense.deploy.optimization import optimizer
from rexdense.deploy.relative_error import relative_error
from rexdense.device import has_bfloat16
from rexdense.errors import InvalidArgument
from rexdense.models.layers.convolution import ConvNorm
from rexdense.models.unet import ReXDepth, ReXUNet, create_unet
from tests.models.networks import SMALL, image, randomise

ALL = (0, 1, 2, 3, 4)
NETWORKS = {
    **{name: lambda name=name: rexdense.create_backbone(name, out_indices=ALL) for name in SMALL},
    **{f'{name}, classifier': lambda name=name: rexdense.create_classifier(name, 10)
       for name in ('rexnet_1.0', 'rexnet_lite_1.0', 'regnety_200mf')},
    'U-Net': lambda: create_unet('rexnet_1.0', 3, output_strides='all'),
    'wide U-Net': lambda: create_unet('unet_rexnet_1.0_wide', 3),
    'U-Net of separable convolutions': lambda: create_unet(
        'regnetx_200mf', 3, block='depthwise_separable', decoder_channels=(32, 24, 16, 16, 8)),
    'ReXUNet': ReXUNet,
    'ReXDepth': ReXDepth,
    'group norm': lambda: rexdense.create_backbone('rexnet_1.0', norm_cfg=dict(type='GN')),
    'recomputing': lambda: rexdense.create_backbone('rexnet_1.0', recompute='activations'),
}  # fmt: skip


def built(build):
    torch.manual_seed(0)
    return randomise(build()).eval()


def norms(network):
    return [part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]


def worst(found, expected):
    pairs = zip(tree_leaves(found), tree_leaves(expected), strict=True)
    return max(relative_error(a, b) for a, b in pairs)


@pytest.fixture(scope='module')
def backbone():
    return built(NETWORKS['rexnet_1.0'])


@pytest.mark.parametrize('name', NETWORKS)
def test_outputs_stay_and_the_network_too(name):
    network = built(NETWORKS[name])
    before = copy.deepcopy(network.state_dict())
    flags = [parameter.requires_grad for parameter in network.parameters()]
    fast = optimize(network)
    assert not norms(fast)
    for shape in ((2, 3, 65, 97), (1, 3, 64, 64)):
        images = image(*shape)
        with torch.inference_mode():
            found, expected = fast(images), network(images)
        assert type(found) is type(expected)
        assert worst(found, expected) < 1e-4
        channels_last = images.to(memory_format=torch.channels_last)
        with torch.no_grad():
            assert worst(fast(channels_last), expected) < 1e-4
    assert [parameter.requires_grad for parameter in network.parameters()] == flags
    for key, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[key]) and tensor.is_contiguous(), key


def test_maps_have_their_channels_last(backbone):
    with torch.inference_mode():
        levels = optimize(backbone)(image(2, 3, 64, 96))
    assert all(level.is_contiguous(memory_format=torch.channels_last) for level in levels)
    assert not any(level.is_contiguous() for level in levels)


def test_once_is_enough(backbone):
    fast = optimize(backbone)
    for dtype in (None, 'float32', torch.float32):
        assert optimize(fast, dtype) is fast
    with pytest.raises(
        InvalidArgument, match=r'optimised already, with dtype=torch\.float32 and compile=False'
    ):
        optimize(fast, dtype=torch.bfloat16)


@pytest.mark.parametrize(
    'way', [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))],
    ids=['copied', 'pickled'],
)  # fmt: skip
@pytest.mark.parametrize('dtype', [None, 'bfloat16'])
def test_it_can_be_copied_and_pickled(backbone, way, dtype, imitated):
    fast = optimize(backbone, dtype)
    again = way(fast)
    images = image(1, 3, 64, 64)
    with torch.inference_mode():
        for found, expected in zip(again(images), fast(images), strict=True):
            assert torch.equal(found, expected)
    assert optimize(again) is again


def test_gradients_of_images_still_flow(backbone):
    """Gradient-based explanations need them."""
    gradients = []
    for network in (optimize(backbone), backbone):
        images = image(1, 3, 64, 64).requires_grad_()
        network(images)[-1].mean().backward()
        gradients.append(images.grad)
    assert relative_error(*gradients) < 1e-4


@pytest.mark.parametrize('how', ['activations', 'blocks'])
def test_networks_that_recompute(how, backbone):
    network = rexdense.create_backbone('rexnet_1.0', out_indices=ALL, recompute=how).eval()
    network.load_state_dict(backbone.state_dict())
    fast, images = optimize(network), image(1, 3, 64, 64).requires_grad_()
    assert worst(fast(images), backbone(images)) < 1e-4


def test_parametrised_weights_are_computed_once():
    network = built(lambda: nn.Sequential(ConvNorm(3, 8, 3, dict(type='BN'))))
    parametrizations.weight_norm(network[0].conv)
    network.eval()
    fast = pickle.loads(pickle.dumps(optimize(network)))
    images = image(1, 3, 16, 16)
    with torch.inference_mode():
        assert relative_error(fast(images), network(images)) < 1e-5
    assert set(fast.state_dict()) == {'0.conv.weight', '0.conv.bias'}
    assert set(network.state_dict()) > {'0.norm.weight'}


class Pooled(nn.Module):
    """A model in mmengine's form with a neck that has no weights."""

    def __init__(self):
        super().__init__()
        self.data_preprocessor, self.neck = nn.Identity(), nn.AvgPool2d(2)
        self.backbone = rexdense.create_backbone('rexnet_lite_1.0', out_indices=(0,))

    def forward(self, images):
        return self.neck(self.backbone(images)[0])


def test_a_neck_without_weights_in_bfloat16(imitated):
    network, images = built(Pooled), image(1, 3, 33, 40)
    with torch.inference_mode():
        found, expected = optimize(network, 'bf16')(images), network(images)
    assert found.dtype == torch.float32 and worst(found, expected) < 0.1


def hooked(how):
    network = built(lambda: ConvNorm(3, 8, 3, dict(type='BN')))
    getattr(network.conv, how)(lambda *_: None)
    return network


class Keeping(nn.Module):
    """A network that keeps a feature map of an earlier pass, which torch cannot copy."""

    def __init__(self):
        super().__init__()
        self.kept = nn.Conv2d(3, 3, 1)(torch.ones(1, 3, 2, 2))


REFUSED = {
    'a path': (lambda: 'model.pth', 'got a str; give it a network'),
    'training': (lambda: nn.Sequential(nn.ReLU()), 'Sequential is in training mode: call .eval'),
    'partly training': (
        lambda: nn.Sequential(nn.Sequential(nn.BatchNorm2d(3)).train()).requires_grad_(True),
        'in training mode',
    ),
    'a hook': (lambda: hooked('register_forward_hook'), '^conv has a forward hook, which would'),
    'a pre-hook': (lambda: hooked('register_forward_pre_hook'), 'conv has a forward pre-hook'),
    'a backward hook': (lambda: hooked('register_full_backward_hook'), 'has a backward hook'),
    'a spectral norm': (
        lambda: spectral_norm(nn.Conv2d(3, 3, 1)).eval(), 'remove_spectral_norm$',
    ),
    'wrapped': (lambda: nn.DataParallel(nn.ReLU()).eval(), 'give it the network inside, .module'),
    'a trace': (
        lambda: torch.jit.trace(nn.ReLU().eval(), torch.ones(1)), 'a recorded graph; give it the',
    ),
    'no weights': (lambda: nn.LazyConv2d(3, 1).eval(), 'LazyConv2d has no weights yet'),
    'meta': (lambda: nn.Conv2d(3, 3, 1, device='meta').eval(), 'Conv2d has no weights yet'),
    'a kept map': (lambda: Keeping().eval(), 'this Keeping cannot be copied: Only Tensors created'),
}  # fmt: skip


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('case', REFUSED)
def test_what_cannot_be_optimised_is_told(case):
    build, message = REFUSED[case]
    with pytest.raises(InvalidArgument, match=message) as caught:
        optimize(build())
    assert '\n' not in str(caught.value)


def test_part_of_a_network_in_training_mode_is_named(backbone):
    network = copy.deepcopy(backbone)
    network.stages[1].train()
    with pytest.raises(InvalidArgument, match=r'and stages\.1 is in training mode'):
        optimize(network)


@pytest.mark.parametrize('dtype', ['half', torch.float16, torch.int8, 16])
def test_other_types_are_refused(backbone, dtype):
    with pytest.raises(InvalidArgument, match=r'allowed are None .* torch\.bfloat16'):
        optimize(backbone, dtype)


@pytest.fixture
def imitated(monkeypatch):
    """Pretend that processors without bfloat16 support it."""
    monkeypatch.setattr(optimizer, 'require_bfloat16', lambda device: None)


@pytest.mark.skipif(has_bfloat16('cpu'), reason='this processor has bfloat16')
def test_a_processor_without_bfloat16_is_told(backbone):
    with pytest.raises(InvalidArgument, match='bfloat16 on this cpu would be imitated'):
        optimize(backbone, torch.bfloat16)


@pytest.mark.parametrize('name', ['rexnet_1.0', 'regnety_200mf, classifier', 'U-Net'])
def test_bfloat16_takes_and_returns_float32(name, imitated):
    network = built(NETWORKS[name])
    fast, images = optimize(network, torch.bfloat16), image(2, 3, 65, 97)
    assert {parameter.dtype for parameter in fast.parameters()} == {torch.bfloat16}
    with torch.inference_mode():
        found, expected = fast(images), network(images)
    assert {value.dtype for value in tree_leaves(found)} == {torch.float32}
    assert worst(found, expected) < 0.1


def test_bfloat16_can_be_traced_and_exported(backbone, imitated):
    fast, images = optimize(backbone, torch.bfloat16), image(1, 3, 64, 64)
    with torch.inference_mode():
        expected = fast(images)
    for graph in (
        torch.jit.trace(fast, images, check_trace=False),
        torch.export.export(fast, (images,), strict=False).module(),
    ):
        with torch.inference_mode():
            assert worst(graph(images), expected) < 0.05


def test_no_compiler(backbone, monkeypatch):
    monkeypatch.setenv('PATH', '')
    monkeypatch.delenv('CXX', raising=False)
    with pytest.raises(InvalidArgument, match=r'needs a C\+\+ compiler'):
        optimize(backbone, compile=True)


@pytest.mark.slow
# Two for the network, and one for each hook that converts inputs or outputs.
@pytest.mark.parametrize(
    ('dtype', 'allowed', 'graphs'), [(None, 1e-4, 2), (torch.bfloat16, 0.1, 6)]
)
def test_few_compilations_for_many_sizes(dtype, allowed, graphs, tmp_path, monkeypatch, imitated):
    from torch._dynamo.utils import counters

    monkeypatch.setenv('TORCHINDUCTOR_CACHE_DIR', str(tmp_path))
    torch._dynamo.reset()
    counters.clear()
    network = built(lambda: rexdense.create_backbone('rexnet_1.0', out_indices=(0,)))
    fast = optimize(network, dtype, compile=True)
    for step in range(10):
        images = image(1 + step % 3, 3, 64 + 16 * step, 160 - 11 * step)
        with torch.inference_mode():
            assert worst(fast(images), network(images)) < allowed
    assert 1 <= counters['stats']['unique_graphs'] <= graphs
    again = pickle.loads(pickle.dumps(fast))
    assert again._compiled_call_impl is None
    assert optimize(again, compile=True) is again and again._compiled_call_impl is not None


def test_made_in_inference_mode_it_takes_other_weights(backbone):
    images = image(1, 3, 64, 64)
    with torch.inference_mode():
        fast = optimize(copy.deepcopy(backbone))
        assert not any(tensor.is_inference() for tensor in fast.state_dict().values())
        fast(images)
        fast.load_state_dict({name: value * 0 for name, value in fast.state_dict().items()})
        assert not any(map.abs().max() for map in fast(images))


def test_weights_are_not_loaded_into_an_optimised_network():
    network = built(lambda: rexdense.create_backbone('rexnet_1.0', depth_mult=0.1))
    with pytest.raises(InvalidArgument, match='load the weights into the network before'):
        rexdense.load_weights(optimize(network), network.state_dict())
