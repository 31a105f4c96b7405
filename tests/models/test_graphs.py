"""Backbones as graphs: tracing and compilation, with other dtypes, devices and memory formats.
Exports are tested in tests/deploy/test_graphs.py."""

import pytest
import torch

import rexdense

# Two of their stages have all kinds of blocks. ReXNet has a block per level.
FEW_BLOCKS = {
    'rexnet_1.0': dict(depth_mult=0.1, out_indices=(1, 3)),
    'rexnet_lite_1.0': dict(depth_mult=0.1, out_indices=(1, 3)),
    'rexnetr_1.0': dict(depth_mult=0.1, out_indices=(1, 3)),
    'regnetx_200mf': dict(out_indices=(1, 3)),
    'regnety_200mf': dict(out_indices=(1, 3)),
    'resnext50_32x4d': dict(out_indices=(0, 1)),
}


@pytest.fixture(params=FEW_BLOCKS)
def backbone(request):
    """A network of each kind, with a partial shortcut if its family has any."""
    torch.manual_seed(0)
    return rexdense.create_backbone(request.param, **FEW_BLOCKS[request.param]).eval()


def assert_same_levels(found, backbone, images):
    with torch.no_grad():
        expected = backbone(images)
    assert len(found) == len(expected)
    for level, reference in zip(found, expected, strict=True):
        assert (level - reference).abs().max() <= 1e-4 * reference.abs().max()


def test_a_trace_takes_other_sizes(backbone):
    traced = torch.jit.trace(backbone, torch.randn(1, 3, 64, 64))
    images = torch.randn(2, 3, 97, 131)
    assert_same_levels(traced(images), backbone, images)


def test_fx_traces_symbolically(backbone):
    images = torch.randn(1, 3, 64, 64)
    assert_same_levels(torch.fx.symbolic_trace(backbone)(images), backbone, images)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['rexnet_1.0', 'regnety_200mf'])
def test_compiles_without_graph_breaks_and_trains(name):
    backbone = rexdense.create_backbone(name, out_indices=(1,)).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        compiled = torch.compile(backbone, fullgraph=True, backend='aot_eager')
        assert_same_levels(compiled(images), backbone, images)
    torch._dynamo.reset()
    training = torch.compile(backbone.train(), fullgraph=True, backend='aot_eager')
    training(images)[0].sum().backward()
    assert all(parameter.grad is not None for parameter in backbone.parameters())
    torch._dynamo.reset()


@pytest.mark.parametrize('training', [False, True])
def test_channels_last_is_kept_to_every_output(backbone, training):
    backbone = backbone.to(memory_format=torch.channels_last).train(training)
    images = torch.randn(2, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    for level in backbone(images):
        assert level.is_contiguous(memory_format=torch.channels_last)


def test_double_precision(backbone):
    levels = backbone.double()(torch.randn(1, 3, 64, 64, dtype=torch.float64))
    assert {level.dtype for level in levels} == {torch.float64}


def test_trains_under_bfloat16_autocast(backbone):
    with torch.autocast('cpu', torch.bfloat16):
        levels = backbone.train()(torch.randn(2, 3, 64, 64))
        sum(level.float().sum() for level in levels).backward()
    for name, parameter in backbone.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name


def test_every_tensor_follows_to_the_meta_device(backbone):
    """A tensor that is not a parameter or buffer would stay on the other device."""
    levels = backbone.to('meta')(torch.empty(1, 3, 65, 65, device='meta'))
    sizes = [-(-65 // level.stride) for level in backbone.out_levels]
    assert [tuple(level.shape[2:]) for level in levels] == [(size, size) for size in sizes]
