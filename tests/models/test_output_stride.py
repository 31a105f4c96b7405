"""Dilation instead of stride: the same weights, and the same values where possible."""

import pytest
import torch

from tests.models.networks import SMALL, SQUEEZED, image, network, relative_error

ALL = (0, 1, 2, 3, 4)


@pytest.mark.parametrize('size', [(64, 64), (97, 131)])
@pytest.mark.parametrize('output_stride', [8, 16])
@pytest.mark.parametrize('name', SMALL)
def test_dilated_networks_have_the_strided_one_s_weights_and_values(name, output_stride, size):
    strided = network(name, out_indices=ALL).eval()
    dilated = network(name, out_indices=ALL, output_stride=output_stride).eval()
    assert not dilated.load_state_dict(strided.state_dict()).missing_keys
    x = image(1, 3, *size)
    with torch.no_grad():
        pairs = list(zip(strided(x), dilated(x), strided.feature_info, strict=True))
    for expected, found, info in pairs:
        step = max(1, info.stride // output_stride)
        if step == 1:
            assert torch.equal(found, expected)
        elif name not in SQUEEZED:  # their gates are means over more pixels
            # At every second (fourth) pixel, a dilated network reads the same as the strided one.
            assert relative_error(found[..., ::step, ::step], expected) < 1e-5


@pytest.mark.parametrize('name', SMALL)
def test_dilated_networks_train(name):
    backbone = network(name, out_indices=(4,), output_stride=8)
    backbone(image(2, 3, 33, 33))[0].mean().backward()
    assert all(value.grad is not None for value in backbone.parameters())
