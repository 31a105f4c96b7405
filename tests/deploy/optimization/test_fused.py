"""Fused convolutions: fused shortcuts and ReLUs, and weights that are packed once."""

import copy
import pickle

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from rexdense.arch.residual import BottleneckSpec
from rexdense.deploy.optimization.folding import fold_norms
from rexdense.deploy.optimization.fused import FusedConv2d, fuse_activation, fuse_convolutions
from rexdense.deploy.relative_error import relative_error
from rexdense.models.backbones.residual import Bottleneck
from rexdense.models.layers.activations import relu, relu6, silu
from rexdense.models.layers.convolution import ConvNorm
from tests.models.networks import image, randomise


class Operators(TorchDispatchMode):
    """Records the names of the operators that run in this mode."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.names.append(str(operation))
        return operation(*args, **kwargs or {})


def built(stride, squeeze, norm_cfg):
    spec = BottleneckSpec(
        in_channels=16,
        hidden_channels=32,
        out_channels=16 if stride == 1 else 24,
        stride=stride,
        groups=4,
        squeeze_channels=squeeze,
        downsample=stride == 2,
    )
    torch.manual_seed(0)
    return randomise(Bottleneck(spec, norm_cfg)).eval()


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('squeeze', [0, 4])
def test_the_shortcut_is_added_in_the_convolution(stride, squeeze):
    block = built(stride, squeeze, dict(type='BN'))
    folded = copy.deepcopy(block)
    fold_norms(folded)
    fuse_convolutions(folded)
    assert folded.sums_in_conv and not block.sums_in_conv
    for x in (image(2, 16, 13, 12), image(2, 16, 13, 12).to(memory_format=torch.channels_last)):
        before = x.clone()
        with torch.inference_mode(), Operators() as seen:
            found = folded(x)
        assert not [name for name in seen.names if name.startswith('aten.add')]
        assert 'mkldnn._convolution_pointwise.binary' in seen.names
        assert torch.equal(x, before), 'a level that others read was overwritten'
        with torch.inference_mode():
            expected = block(x)
        assert (expected == 0).any() and relative_error(found, expected) < 1e-5
    x = image(1, 16, 8, 8).requires_grad_()
    gradients = [torch.autograd.grad(each(x).square().sum(), x)[0] for each in (folded, block)]
    assert relative_error(*gradients) < 1e-4
    again = pickle.loads(pickle.dumps(folded))
    with torch.inference_mode():
        assert torch.equal(again(before), folded(before))
    with torch.no_grad():
        assert 'mkldnn' not in str(torch.jit.trace(folded, x).inlined_graph)


@pytest.mark.parametrize('activation', [None, relu, relu6, silu])
@pytest.mark.parametrize('turned', [False, True])
def test_sums_before_any_activation(activation, turned):
    """oneDNN supports only ReLU; shortcuts may have any layout."""
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(1, 8, 3, padding=1)
    images, shortcut = image(2, 1, 9, 7), image(2, 8, 9, 7, seed=1) * 9
    if turned:
        shortcut = shortcut.transpose(2, 3).contiguous().transpose(2, 3)
    with torch.inference_mode():
        expected = conv(images) + shortcut
        expected = expected if activation is None else activation(expected)
        assert fuse_activation(conv, activation)
        assert relative_error(conv(images, shortcut), expected) < 1e-5


def test_other_norms_are_left_alone():
    block = built(1, 0, dict(type='GN'))
    folded = copy.deepcopy(block)
    fold_norms(folded)
    fuse_convolutions(folded)
    assert not folded.sums_in_conv
    with torch.inference_mode():
        found, expected = folded(image(1, 16, 8, 8)), block(image(1, 16, 8, 8))
    assert relative_error(found, expected) < 1e-5


def test_convolutions_without_a_norm_are_fused_too():
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.Conv2d(4, 4, 3, padding='same')
    )
    fused = copy.deepcopy(network)
    fuse_convolutions(fused)
    assert [type(each) for each in fused] == [FusedConv2d, torch.nn.Conv2d]
    with torch.inference_mode():
        assert relative_error(fused(image(2, 3, 9, 8)), network(image(2, 3, 9, 8))) < 1e-5


def fused_layer():
    network = randomise(ConvNorm(3, 8, 3, dict(type='BN'), relu)).eval()
    fold_norms(network)
    fuse_convolutions(network)
    return network


def test_weights_are_laid_out_once():
    network = fused_layer()
    with torch.inference_mode():
        for count, size in enumerate((16, 16, 97)):
            with Operators() as seen:
                network(image(1, 3, size, size))
            packed = [name for name in seen.names if 'mkldnn_reorder_conv2d_weight' in name]
            assert len(packed) == (count == 0)


def test_a_wrong_number_of_channels_is_told_as_by_torch():
    with torch.inference_mode(), pytest.raises(RuntimeError, match='to have 3 channels, but got 4'):
        fused_layer()(image(1, 4, 16, 16))


def test_a_compiled_layer_can_be_pickled():
    network = fused_layer()
    network.conv.compile()
    assert pickle.loads(pickle.dumps(network)).conv._compiled_call_impl is None


def give_new_weights(network):
    """Set weights until a new one reuses the freed memory of an old one."""
    network.conv.weight.data = network.conv.weight.data.clone()
    network(image(1, 3, 16, 16))
    first = network.conv.weight.data_ptr()
    for _ in range(50):
        network.conv.weight.data = network.conv.weight.data * 1.5
        if network.conv.weight.data_ptr() == first:
            break


CHANGES = {
    'loaded': lambda network: network.load_state_dict(
        {name: value * 2 for name, value in network.state_dict().items()}
    ),
    'in place': lambda network: network.conv.weight.mul_(3),
    'another parameter': lambda network: setattr(
        network.conv, 'weight', torch.nn.Parameter(network.conv.weight * 4)
    ),
    'other types': lambda network: network.double().float(),
    'where others lay': give_new_weights,
}


@pytest.mark.parametrize('change', CHANGES)
def test_weights_that_change_are_laid_out_again(change):
    network, images = fused_layer(), image(1, 3, 16, 16)
    with torch.no_grad():
        network(images)
        CHANGES[change](network)
        found = network(images)
        conv = network.conv
        expected = torch.nn.functional.conv2d(images, conv.weight, conv.bias, padding=1).relu()
    assert relative_error(found, expected) < 1e-5
    for again in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        with torch.no_grad():
            assert relative_error(again(images), expected) < 1e-5


def test_weights_of_inference_mode_are_laid_out_again():
    images = image(1, 3, 16, 16)
    with torch.inference_mode():
        network = copy.deepcopy(fused_layer())
        assert network.conv.weight.is_inference()
        for factor in (1, 3):
            network.conv.weight.mul_(factor)
            conv = network.conv
            expected = torch.nn.functional.conv2d(images, conv.weight, conv.bias, padding=1).relu()
            assert relative_error(network(images), expected) < 1e-5
        with Operators() as seen:
            network(images)
        assert not [name for name in seen.names if 'mkldnn_reorder_conv2d_weight' in name]


@pytest.mark.parametrize('dtype', [torch.float64, torch.float16])
def test_other_types_run_where_bfloat16_can_be(monkeypatch, dtype):
    monkeypatch.setattr(torch.ops.mkldnn, '_is_mkldnn_bf16_supported', lambda: True)
    network, images = fused_layer(), image(1, 3, 16, 16)
    with torch.inference_mode():
        expected = network(images)
        found = network.to(dtype)(images.to(dtype))
    assert found.dtype == dtype
    assert relative_error(found.float(), expected) < 1e-2
