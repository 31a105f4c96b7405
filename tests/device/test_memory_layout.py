"""Networks in channels_last, around operators that read memory as NCHW."""

import copy

import pytest
import torch
from torch import nn

from rexdense.deploy import optimize
from rexdense.device import memory_layout
from rexdense.device.memory_layout import trains_in_channels_last, use_channels_last

ops = pytest.importorskip('mmcv.ops')
BOXES = torch.tensor([[0, 1.0, 2.0, 8.0, 9.0], [0, 0.0, 0.0, 5.0, 10.0]])


class Regions(nn.Module):
    """Convolutions around RoIAlign, as detectors have them."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Conv2d(3, 8, 3)
        self.align = ops.RoIAlign(7, 1.0)
        self.after = nn.Conv2d(8, 4, 3)

    def forward(self, x):
        return self.after(self.align(self.before(x), BOXES))


@pytest.fixture
def plain():
    torch.manual_seed(0)
    return Regions()


def outputs_and_gradients(network):
    images = torch.randn(1, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    maps = network(images.requires_grad_())
    maps.square().sum().backward()
    return maps, [images.grad, *(weight.grad for weight in network.parameters())]


def test_regions_are_read_and_learnt_as_in_the_usual_layout(plain):
    fast = copy.deepcopy(plain)
    assert trains_in_channels_last(fast)
    use_channels_last(fast)
    assert not fast.before.weight.is_contiguous()
    torch.testing.assert_close(fast.state_dict(), plain.state_dict(), rtol=0, atol=0)
    torch.testing.assert_close(outputs_and_gradients(fast), outputs_and_gradients(plain))


def test_regions_would_be_others_without_the_hook(plain, monkeypatch):
    fast = copy.deepcopy(plain)
    monkeypatch.setattr(memory_layout, '_READS_NCHW', 'nothing')
    use_channels_last(fast)
    images = torch.ones(1, 3, 12, 12).cumsum(3)
    assert (fast(images) - plain(images)).abs().max() > 0.1


def test_a_second_call_adds_nothing(plain):
    for _ in range(2):
        use_channels_last(plain)
    assert len(plain.align._forward_pre_hooks) == 1


def test_operators_that_may_read_gradients_wrongly_are_not_trained_so(plain):
    plain.extra = ops.DeformConv2d(3, 8, 3)
    assert not trains_in_channels_last(plain)


@pytest.mark.parametrize(
    'name', ['DeformConv2dPack', 'ModulatedDeformConv2dPack', 'SAConv2d', 'of another package']
)
def test_offsets_are_read_as_in_the_usual_layout(name):
    class Inherited(ops.ModulatedDeformConv2dPack):
        pass

    torch.manual_seed(0)
    options = dict(use_deform=True) if name == 'SAConv2d' else {}
    kind = getattr(ops, name, Inherited)
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), kind(4, 4, 3, padding=1, **options)).eval()
    for weight in plain.parameters():
        nn.init.normal_(weight, std=0.3)
    fast, optimized = copy.deepcopy(plain), optimize(plain)
    use_channels_last(fast)
    images = torch.randn(1, 3, 9, 8)
    with torch.no_grad():
        expected = plain(images)
        for network in (fast, optimized, optimize(fast)):
            torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-4)


def test_inputs_by_name_are_read_as_in_the_usual_layout(plain):
    images = torch.randn(1, 3, 12, 12)
    expected = plain.align(images, BOXES)
    use_channels_last(plain)
    images = images.contiguous(memory_format=torch.channels_last)
    assert torch.equal(plain.align(input=images, rois=BOXES), expected)
