"""Arrangements of convolutions and batch norms: folded if that is exact, else unchanged."""

import copy

import pytest
import torch
from torch import nn

from rexdense.deploy.optimization.folding import fold_norms
from rexdense.deploy.optimization.fused import FusedConv2d
from rexdense.deploy.relative_error import relative_error
from rexdense.models.layers.activations import relu, relu6, silu
from rexdense.models.layers.convolution import ConvNorm
from tests.models.networks import image, randomise


class Standardised(nn.Conv2d):
    """A convolution that transforms its weights before use."""

    def forward(self, x):
        return self._conv_forward(x, self.weight - self.weight.mean(), self.bias)


class Doubled(nn.BatchNorm2d):
    def forward(self, x):
        return 2 * super().forward(x)


class NormFirst(nn.Module):
    """A module whose children are in another order than the calls."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x):
        return self.conv(self.norm(x))


class Branches(nn.Module):
    """Modules that share a convolution, a norm, or both."""

    def __init__(self, share):
        super().__init__()
        norm = dict(type='BN')
        self.one, self.two = ConvNorm(4, 4, 3, norm), ConvNorm(4, 4, 3, norm)
        if share == 'all':
            self.two = self.one
        elif share == 'tensor':
            self.two.conv.weight = self.one.conv.weight
        elif share:
            setattr(self.two, share, getattr(self.one, share))
        self.plain = self.one.conv

    def forward(self, x):
        return self.two(self.one(x)) + self.plain(x)


def sequence(conv, norm):
    return nn.Sequential(nn.ReLU(), conv, norm, nn.ReLU())


CASES = {
    'plain': (lambda: sequence(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6)), 1),
    'no bias, groups': (lambda: sequence(nn.Conv2d(4, 8, 3, groups=2, bias=False),
                                         nn.BatchNorm2d(8)), 1),
    'depthwise, reflecting': (lambda: sequence(nn.Conv2d(4, 4, 3, groups=4, padding=1,
                                                         padding_mode='reflect'),
                                               nn.BatchNorm2d(4)), 1),
    'transposed': (lambda: sequence(nn.ConvTranspose2d(4, 6, 2, 2), nn.BatchNorm2d(6)), 1),
    'transposed, groups': (lambda: sequence(nn.ConvTranspose2d(4, 6, 2, groups=2),
                                            nn.BatchNorm2d(6)), 0),
    'without scale': (lambda: sequence(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6, affine=False)), 1),
    'statistics of the batch': (lambda: sequence(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(
        6, track_running_stats=False)), 0),
    'synchronised': (lambda: sequence(nn.Conv2d(4, 6, 3), nn.SyncBatchNorm(6)), 1),
    'group norm': (lambda: sequence(nn.Conv2d(4, 6, 3), nn.GroupNorm(2, 6)), 0),
    'own convolution': (lambda: sequence(Standardised(4, 6, 3), nn.BatchNorm2d(6)), 0),
    'own norm': (lambda: sequence(nn.Conv2d(4, 6, 3), Doubled(6)), 0),
    'something between': (lambda: nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(),
                                                nn.BatchNorm2d(6)), 0),
    'norm first': (NormFirst, 0),
    'nothing shared': (lambda: Branches(None), 2),
    'shared convolution': (lambda: Branches('conv'), 2),
    'shared norm': (lambda: Branches('norm'), 2),
    'used twice': (lambda: Branches('all'), 1),
    'tied weights': (lambda: Branches('tensor'), 2),
    'two norms': (lambda: nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6),
                                        nn.BatchNorm2d(6)), 1),
}  # fmt: skip


def assert_folds(network, count, x):
    network = randomise(network).eval()
    before = copy.deepcopy(network.state_dict())
    with torch.no_grad():
        expected, folded = network(x), copy.deepcopy(network)
        assert fold_norms(folded) == count
        assert relative_error(folded(x), expected) < 1e-5
        assert fold_norms(folded) == 0
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name


@pytest.mark.parametrize('case', CASES)
def test_outputs_stay(case):
    build, count = CASES[case]
    torch.manual_seed(0)
    assert_folds(build(), count, image(2, 4, 12, 13))


@pytest.mark.parametrize(
    ('settings', 'count'),
    [
        (dict(norm_cfg=dict(type='BN')), 1),
        (dict(norm_cfg=dict(type='BN'), bias=True, order=('act', 'conv', 'norm')), 1),
        (dict(norm_cfg=dict(type='BN'), order=('conv', 'act', 'norm')), 0),
        (dict(norm_cfg=dict(type='BN'), padding_mode='reflect', padding=1), 1),
        (dict(norm_cfg=dict(type='BN'), efficient_conv_bn_eval=True), 1),
        (dict(norm_cfg=dict(type='GN', num_groups=2)), 0),
        (dict(conv_cfg=dict(type='ConvAWS'), norm_cfg=dict(type='BN')), 0),
        (dict(), 0),
    ],
    ids=str,
)
def test_modules_of_mmcv(settings, count):
    ConvModule = pytest.importorskip('mmcv.cnn').ConvModule
    torch.manual_seed(0)
    assert_folds(ConvModule(4, 4, 3, **settings), count, image(2, 4, 12, 13))


def test_a_forward_of_its_own_may_do_anything():
    ConvModule = pytest.importorskip('mmcv.cnn').ConvModule

    class Twice(ConvModule):
        def forward(self, x):
            return self.norm(self.conv(x)) + self.conv(x)

    assert_folds(Twice(4, 4, 3, norm_cfg=dict(type='BN')), 0, image(2, 4, 12, 13))


@pytest.mark.parametrize(('depth', 'norms'), [(18, 20), (50, 53)])
def test_residual_networks_of_mmdet(depth, norms):
    pytest.importorskip('mmdet')
    from mmdet.models.backbones import ResNet

    torch.manual_seed(0)
    assert_folds(nn.Sequential(ResNet(depth), Last()), norms, image(1, 3, 33, 47))


class Last(nn.Module):
    def forward(self, levels):
        return levels[-1]


@pytest.mark.parametrize('activation', [None, relu, relu6, silu, torch.tanh])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_activations_are_part_of_the_convolution(activation, dtype):
    network = randomise(ConvNorm(4, 6, 3, dict(type='BN'), activation, stride=2)).eval().to(dtype)
    with torch.no_grad():
        network.norm.weight.mul_(9)
    folded, x = copy.deepcopy(network), image(2, 4, 13, 12).to(dtype)
    fold_norms(folded)
    fused = isinstance(folded.conv, FusedConv2d)
    assert fused == (activation is not torch.tanh and dtype == torch.float32)
    for inputs in (x, x.contiguous(memory_format=torch.channels_last), x[:0]):
        with torch.inference_mode():
            assert relative_error(folded(inputs), network(inputs)) < 1e-5
        expected = network(inputs)
        assert relative_error(folded(inputs), expected) < 1e-5
    with torch.no_grad():
        traced = torch.jit.trace(folded, x)
        assert 'mkldnn' not in str(traced.inlined_graph)
        assert relative_error(torch.func.vmap(folded)(x[None])[0], network(x)) < 1e-5
