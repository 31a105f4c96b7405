"""Means by pooling: the same values, and only where nothing looks on."""

import copy

import pytest
import torch
from torch import nn

from rexdense.deploy.optimization.means import PooledMean, pool_means
from rexdense.deploy.optimization.optimizer import optimize
from rexdense.deploy.relative_error import relative_error
from rexdense.models import create_backbone
from rexdense.models.layers.convolution import GlobalMean, SqueezeExcitation


@pytest.mark.parametrize('shape', [(2, 5, 7, 9), (1, 3, 1, 1), (3, 4, 1, 6), (0, 4, 5, 6)])
@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(
    ('dtype', 'allowed'), [(torch.float32, 1e-6), (torch.float64, 1e-14), (torch.bfloat16, 2e-2)]
)
def test_the_means_are_those_of_torch(shape, layout, dtype, allowed):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    with torch.inference_mode():
        found = PooledMean()(x.contiguous(memory_format=layout))
    assert found.dtype == dtype
    assert relative_error(found, x.double().mean((2, 3), keepdim=True)) < allowed


def test_large_maps_keep_their_digits():
    x = torch.rand(1, 2, 600, 900, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found = PooledMean()(x.contiguous(memory_format=torch.channels_last))
    assert relative_error(found, x.double().mean((2, 3), keepdim=True)) < 1e-5


def test_squeeze_excitation_takes_them():
    network = create_backbone('rexnet_1.0').eval()
    fast = optimize(network)
    assert not any(isinstance(layer, GlobalMean) for layer in fast.modules())
    count = sum(isinstance(layer, SqueezeExcitation) for layer in network.modules())
    assert sum(isinstance(layer, PooledMean) for layer in fast.modules()) == count > 0


class Doubled(GlobalMean):
    def forward(self, x):
        return 2 * super().forward(x)


@pytest.mark.parametrize('layer', [nn.AdaptiveAvgPool2d(1), Doubled()])
def test_a_layer_in_their_place_stays(layer):
    block = SqueezeExcitation(8, 2).eval()
    block.squeeze = copy.deepcopy(layer)
    pool_means(block)
    assert type(block.squeeze) is type(layer)


def test_graphs_are_not_of_one_size():
    larger = torch.rand(1, 2, 6, 5)
    with torch.no_grad():
        traced = torch.jit.trace(PooledMean(), torch.rand(1, 2, 4, 4))
        assert torch.equal(traced(larger), larger.mean((2, 3), keepdim=True))
