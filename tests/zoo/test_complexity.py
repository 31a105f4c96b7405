"""The complexity counter, compared with counts by hand and with torch's counter."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from rexdense import create_classifier, list_backbones
from rexdense.zoo import Complexity, count_complexity
from rexdense.zoo.table import family_of


@pytest.mark.parametrize(
    ('layer', 'shape', 'expected'),
    [
        (nn.Conv2d(3, 8, 3, padding=1), (1, 3, 10, 6), (8 * 27 + 8, 60 * 8 * 27, 480)),
        (nn.Conv2d(8, 8, 3, 2, 1, groups=8, bias=False), (1, 8, 9, 7), (72, 20 * 72, 160)),
        (nn.Conv2d(4, 6, 1, groups=2, bias=False), (2, 4, 5, 5), (12, 50 * 12, 300)),
        (nn.Conv1d(4, 6, 5), (1, 4, 12), (126, 8 * 120, 48)),
        (nn.ConvTranspose2d(4, 6, 2, 2, bias=False), (1, 4, 5, 3), (96, 15 * 96, 360)),
        (nn.Linear(5, 7), (3, 5), (42, 3 * 35, 0)),
        (nn.BatchNorm2d(5), (1, 5, 4, 4), (10, 0, 0)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else '',
)
def test_counts_of_single_layers(layer, shape, expected):
    assert count_complexity(layer, shape) == Complexity(*expected)


def test_a_layer_used_twice_counts_twice_but_has_its_parameters_once():
    layer = nn.Linear(4, 4, bias=False)
    assert count_complexity(nn.Sequential(layer, layer), (1, 4)) == Complexity(16, 32, 0)


SMALLEST = {family_of(name): name for name in reversed(list_backbones())}


@pytest.mark.parametrize('name', SMALLEST.values())
def test_torchs_counter_finds_the_same_macs(name):
    with torch.device('meta'):
        network, image = create_classifier(name).eval(), torch.empty(1, 3, 97, 131)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(image)
    assert counter.get_total_flops() == 2 * count_complexity(network, image.shape).macs


def test_the_network_is_left_as_it_was():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    network[1].eval()
    state = {key: value.clone() for key, value in network.state_dict().items()}
    count_complexity(network, (2, 3, 8, 8))
    assert [layer.training for layer in network] == [True, False, True]
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    assert not any(layer._forward_hooks for layer in network)


def test_the_network_is_left_as_it_was_when_its_forward_fails():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(5, 6))
    with pytest.raises(RuntimeError):
        count_complexity(network, (1, 3, 8, 8))
    assert network.training
    assert not any(layer._forward_hooks for layer in network)
