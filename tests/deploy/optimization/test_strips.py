"""Wide feature maps in strips: the same outputs, without a whole wide map."""

import copy

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rexdense.arch.residual import BottleneckSpec
from rexdense.arch.rexnet import InvertedBottleneckSpec
from rexdense.deploy.optimization import strips
from rexdense.deploy.optimization.folding import fold_norms
from rexdense.deploy.optimization.fused import fuse_convolutions
from rexdense.deploy.optimization.optimizer import optimize
from rexdense.deploy.relative_error import relative_error
from rexdense.models.backbones.residual import Bottleneck
from rexdense.models.backbones.rexnet import InvertedBottleneck
from rexdense.models.layers.convolution import ConvNorm
from tests.models.networks import image, randomise

WIDTH, HIDDEN = 11, 24
ROW = 4 * HIDDEN * WIDTH
"""Bytes per row of the wide map."""


class Largest(TorchDispatchMode):
    """Records the bytes of the largest tensor that an operator returns in this mode."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        out = operation(*args, **kwargs or {})
        tensors = [each for each in tree_leaves(out) if isinstance(each, torch.Tensor)]
        self.bytes = max([self.bytes, *(each.numel() * each.element_size() for each in tensors)])
        return out


def inverted(stride, dilation, squeeze, lite=False, norm='BN'):
    spec = InvertedBottleneckSpec(
        in_channels=4,
        hidden_channels=HIDDEN,
        out_channels=6,
        stride=stride,
        dilation=dilation,
        squeeze_channels=squeeze,
        shortcut=stride == 1,
    )
    return InvertedBottleneck(spec, dict(type=norm), lite)


def residual(stride, dilation, squeeze):
    spec = BottleneckSpec(
        in_channels=4,
        hidden_channels=HIDDEN,
        out_channels=8,
        stride=stride,
        dilation=dilation,
        groups=2,
        squeeze_channels=squeeze,
        downsample=True,
    )
    return Bottleneck(spec, dict(type='BN'))


def in_strips(block, largest, strip, monkeypatch):
    """Return the folded block before and after its layers run in strips of ``strip`` rows."""
    monkeypatch.setattr(strips, '_LARGEST_REUSED', largest * ROW)
    # Other tests in this process may have called a program, which keeps freed memory.
    monkeypatch.setattr(strips, 'reuses_freed_memory', lambda: False)
    monkeypatch.setattr(strips, '_STRIP', strip * ROW)
    torch.manual_seed(0)
    whole = randomise(block).eval()
    fold_norms(whole)
    fuse_convolutions(whole)
    cut = copy.deepcopy(whole)
    strips.compute_in_strips(cut)
    assert any(isinstance(module, strips.LayersInStrips) for module in cut.modules())
    return whole, cut


@pytest.mark.parametrize('build', [inverted, residual])
@pytest.mark.parametrize('squeeze', [0, 2])
@pytest.mark.parametrize(('stride', 'dilation'), [(1, 1), (2, 1), (1, 2), (1, 4)])
@pytest.mark.parametrize('rows', [1, 2, 3, 5])
def test_outputs_are_the_same(build, squeeze, stride, dilation, rows, monkeypatch):
    whole, cut = in_strips(build(stride, dilation, squeeze), 4, rows, monkeypatch)
    for count, height in ((1, 12), (1, 13), (3, 9), (1, 1), (2, 3)):
        x = image(count, 4, height, WIDTH)
        for images in (x, x.to(memory_format=torch.channels_last)):
            before = images.clone()
            with torch.inference_mode():
                found, expected = cut(images), whole(images)
            assert found.shape == expected.shape
            assert relative_error(found, expected) < 1e-5
            assert torch.equal(images, before)


def test_maps_are_not_cut_where_memory_is_kept(monkeypatch):
    _, cut = in_strips(inverted(1, 1, 0), 4, 4, monkeypatch)
    monkeypatch.setattr(strips, 'reuses_freed_memory', lambda: True)
    with torch.inference_mode(), Largest() as seen:
        cut(image(1, 4, 12, WIDTH))
    assert seen.bytes == 12 * ROW


def test_several_images_at_once(monkeypatch):
    whole, cut = in_strips(inverted(2, 1, 0), 20, 20, monkeypatch)
    x = image(5, 4, 9, WIDTH)
    with torch.inference_mode(), Largest() as seen:
        found = cut(x)
    assert seen.bytes == 2 * 9 * ROW
    with torch.inference_mode():
        assert relative_error(found, whole(x)) < 1e-5


@pytest.mark.parametrize('lite', [False, True])
@pytest.mark.parametrize(('stride', 'squeeze'), [(1, 0), (2, 0), (2, 2)])
def test_the_wide_map_is_never_there_as_a_whole(stride, squeeze, lite, monkeypatch):
    whole, cut = in_strips(inverted(stride, 1, squeeze, lite), 8, 8, monkeypatch)
    x = image(1, 4, 64, WIDTH)
    sizes = []
    for block in (whole, cut):
        with torch.inference_mode(), Largest() as seen:
            block(x)
        sizes.append(seen.bytes)
    assert sizes[0] == 64 * ROW
    # Strips overlap by two rows. The output and the input of squeeze-excitation are whole maps.
    assert sizes[1] < 18 * ROW


def test_small_maps_gradients_and_graphs_are_not_cut(monkeypatch):
    whole, cut = in_strips(inverted(1, 1, 0), 12, 4, monkeypatch)
    small, large = image(1, 4, 12, WIDTH), image(1, 4, 13, WIDTH)
    with torch.inference_mode(), Largest() as seen:
        cut(small)
    assert seen.bytes == 12 * ROW
    gradients = []
    for block in (whole, cut):
        x = large.clone().requires_grad_()
        gradients += torch.autograd.grad(block(x).square().sum(), x)
    assert relative_error(*gradients) < 1e-5
    with torch.no_grad():
        graph = torch.jit.trace(cut, large)
        taller = image(1, 4, 40, WIDTH)
        assert relative_error(graph(taller), whole(taller)) < 1e-5


def test_other_norms_need_the_map_as_a_whole():
    block = inverted(1, 1, 0, norm='GN').eval()
    fold_norms(block)
    fuse_convolutions(block)
    strips.compute_in_strips(block)
    assert not [each for each in block.modules() if isinstance(each, strips.LayersInStrips)]


class BothMaps(InvertedBottleneck):
    """A block that reads the wide map twice."""

    def forward(self, x):
        wide = self.expand(x)
        return self.project(self.depthwise(wide) + wide)


class NoSum(Bottleneck):
    """A block without a shortcut, whose outputs may be negative."""

    def forward(self, x):
        wide = self.conv1(x)
        return self.conv3(self.conv2(wide) + wide)


class Renamed(InvertedBottleneck):
    """A block with the same computation as its base."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.name = 'another'

    def extra_repr(self):
        return self.name


class Gated(ConvNorm):
    """A layer that needs the whole map."""

    def forward(self, x):
        x = super().forward(x)
        return x * x.mean((2, 3), keepdim=True)


class Absolute(ConvNorm):
    """A layer with an operation between its convolution and its norm."""

    def forward(self, x):
        return self.norm(self.conv(x).abs())


def changed(block, layer, kind):
    getattr(block, layer).__class__ = kind
    return block


def striding_first(block):
    """Put the stride into the 1x1 layer, as in Caffe's ResNet."""
    for layer in (block.conv1, block.downsample):
        layer.conv.stride = (2, 2)
    return block


def with_part(block, name, part):
    holder, _, last = name.rpartition('.')
    setattr(block.get_submodule(holder), last, part)
    return block


def of_class(block, kind):
    block.__class__ = kind
    return block


@pytest.mark.parametrize(
    'block',
    [
        of_class(inverted(1, 1, 0), BothMaps),
        of_class(residual(1, 1, 0), NoSum),
        changed(inverted(1, 1, 0), 'depthwise', Gated),
        changed(inverted(1, 1, 0), 'expand', Absolute),
        changed(residual(1, 1, 0), 'conv3', Gated),
        striding_first(residual(1, 1, 0)),
        with_part(residual(1, 1, 0), 'drop_path', torch.nn.Softplus()),
        with_part(residual(1, 1, 0), 'conv3', torch.nn.Sequential(torch.nn.Conv2d(24, 8, 1))),
        with_part(inverted(1, 1, 0), 'depthwise.activation', torch.nn.Softplus()),
        with_part(inverted(1, 1, 2), 'squeeze_excitation', torch.nn.Sequential()),
    ],
    ids=lambda block: type(block).__name__,
)
def test_what_computes_otherwise_is_left_alone(block, monkeypatch):
    monkeypatch.setattr(strips, 'reuses_freed_memory', lambda: False)
    monkeypatch.setattr(strips, '_LARGEST_REUSED', 8 * ROW)
    monkeypatch.setattr(strips, '_STRIP', 8 * ROW)
    block = randomise(block).eval()
    fast = optimize(block)
    with torch.inference_mode():
        x = image(1, 4, 32, WIDTH)
        assert relative_error(fast(x), block(x)) < 1e-5


def test_subclasses_that_compute_as_their_base_are_cut():
    fast = optimize(of_class(inverted(1, 1, 0), Renamed).eval())
    assert any(isinstance(each, strips.LayersInStrips) for each in fast.modules())


@pytest.mark.parametrize('value', [3, torch.nn.ModuleList([torch.nn.Conv2d(4, 4, 1)] * 2)])
def test_other_attributes_of_the_name(value):
    network = torch.nn.Sequential(torch.nn.Conv2d(4, 4, 1))
    network.local_layers = value
    optimize(network.eval())


def test_graphs_do_not_depend_on_the_size(monkeypatch):
    """torch.fx refuses comparisons of sizes, and torch.compile would make a graph per branch."""
    whole, cut = in_strips(inverted(1, 1, 2), 4, 4, monkeypatch)
    graph = torch.fx.symbolic_trace(cut)
    for height in (2, 50):
        x = image(2, 4, height, WIDTH)
        with torch.no_grad():
            assert relative_error(graph(x), whole(x)) < 1e-5
