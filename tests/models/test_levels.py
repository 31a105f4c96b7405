"""Outputs of backbones: levels with their shapes and order, for every name."""

import pytest
import torch

import rexdense
from rexdense.arch import feature_levels
from tests.models.networks import SMALL, image, network

ALL = (0, 1, 2, 3, 4)


def on_meta(name, **arguments):
    with torch.device('meta'):
        return rexdense.create_backbone(name, **arguments).eval()


def shapes_announced(backbone, height, width):
    return [
        (2, info.channels, -(-height // info.stride), -(-width // info.stride))
        for info in backbone.feature_info
    ]


@pytest.mark.parametrize('name', SMALL)
def test_a_network_returns_the_levels_it_announces(name):
    """Channels and strides of all networks are compared in tests/zoo/test_measured.py."""
    backbone = on_meta(name, out_indices=ALL)
    assert backbone.feature_info == feature_levels(name)
    levels = backbone(torch.empty(2, 3, 97, 131, device='meta'))
    assert [tuple(level.shape) for level in levels] == shapes_announced(backbone, 97, 131)


@pytest.mark.parametrize('size', [1, 64])
@pytest.mark.parametrize('name', SMALL)
def test_any_image_size(name, size):
    backbone = on_meta(name, out_indices=ALL)
    levels = backbone(torch.empty(2, 3, size, size + 1, device='meta'))
    assert [tuple(level.shape) for level in levels] == shapes_announced(backbone, size, size + 1)


@pytest.mark.parametrize('output_stride', [8, 16])
@pytest.mark.parametrize('name', SMALL)
def test_levels_at_smaller_output_strides(name, output_stride):
    backbone = on_meta(name, out_indices=ALL, output_stride=output_stride)
    levels = backbone(torch.empty(1, 3, 97, 131, device='meta'))
    strides = [min(stride, output_stride) for stride in (2, 4, 8, 16, 32)]
    assert [info.stride for info in backbone.feature_info] == strides
    assert [tuple(level.shape[2:]) for level in levels] == [
        (-(-97 // stride), -(-131 // stride)) for stride in strides
    ]


@pytest.mark.parametrize('name', SMALL)
def test_out_indices_choose_and_order_the_levels(name):
    x = image(1, 3, 64, 64)
    with torch.no_grad():
        every = network(name, out_indices=ALL).eval()(x)
        for out_indices in ((4, 0), (-1, -5), (2,), [1, 3]):
            backbone = network(name, out_indices=out_indices).eval()
            levels = backbone(x)
            assert isinstance(levels, tuple)
            for level, info, index in zip(levels, backbone.out_levels, out_indices, strict=True):
                assert info == backbone.feature_info[index]
                assert level.shape == every[index].shape
            # The initial weights of the first levels do not depend on later ones.
            assert all(torch.equal(a, every[i]) for a, i in zip(levels, out_indices, strict=True))


@pytest.mark.parametrize('deepest', ALL)
@pytest.mark.parametrize('name', SMALL)
def test_layers_above_the_deepest_level_are_not_built(name, deepest):
    backbone = on_meta(name, out_indices=(deepest,))
    assert len(backbone.stages) == deepest + 1
    assert {key.split('.')[1] for key in backbone.state_dict() if key.startswith('stages.')} <= {
        str(index) for index in range(deepest + 1)
    }
    assert len(backbone.feature_info) == 5


@pytest.mark.parametrize(('name', 'in_channels'), zip(SMALL, (1, 4, 7) * 2, strict=True))
def test_any_number_of_input_channels(name, in_channels):
    backbone = on_meta(name, in_channels=in_channels, out_indices=ALL)
    levels = backbone(torch.empty(1, in_channels, 64, 64, device='meta'))
    assert [level.shape[1] for level in levels] == [info.channels for info in backbone.feature_info]


@pytest.mark.parametrize('name', SMALL)
def test_every_parameter_gets_a_gradient(name):
    backbone = network(name, out_indices=(4,))
    backbone(image(2, 3, 65, 65))[0].square().mean().backward()
    without = [key for key, value in backbone.named_parameters() if value.grad is None]
    zero = [
        key
        for key, value in backbone.named_parameters()
        if value.grad is not None and not value.grad.abs().max() > 0
    ]
    assert (without, zero) == ([], [])


@pytest.mark.parametrize('name', SMALL)
def test_overrides_and_rules_without_a_name_build_the_same(name):
    backbone = network(name, out_indices=(1,))
    cls = type(backbone)
    if name == 'resnext50_32x4d':
        arguments = dict(depth=50, groups=32, base_width=4)
    elif name.startswith('regnet'):
        arguments = dict(w_0=24, w_a=36.44, w_m=2.49, depth=13, group_width=8)
        arguments['se_ratio'] = 0.25 if name.startswith('regnety') else 0.0
    else:
        arguments = dict(channel_divisor=8) if name == 'rexnetr_1.0' else {}
    unnamed = cls(out_indices=(1,), **arguments)
    assert unnamed.architecture == backbone.architecture
    assert list(unnamed.state_dict()) == list(backbone.state_dict())


@pytest.mark.parametrize('name', SMALL)
def test_a_new_network_keeps_the_scale_of_its_input(name):
    torch.manual_seed(0)
    backbone = rexdense.create_backbone(name, out_indices=ALL).train()
    for level in backbone(image(8, 3, 96, 96)):
        assert 0.05 < level.std() < 20
