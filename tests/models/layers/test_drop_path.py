"""Stochastic depth: the blocks that have it, its rates, its effect."""

import pytest
import torch

import rexdense
from rexdense.models.layers.convolution import DropPath
from tests.models.networks import SMALL, image, network


def rates_of(name, rate, **arguments):
    with torch.device('meta'):
        backbone = rexdense.create_backbone(name, drop_path_rate=rate, **arguments)
    blocks = [block for stage in backbone.stages for block in stage if hasattr(block, 'drop_path')]
    specs = [spec for stage in backbone.architecture.stages for spec in stage]
    return [block.drop_path.rate for block in blocks], specs[-len(blocks) :]


@pytest.mark.parametrize('name', SMALL)
def test_rates_grow_linearly_on_blocks_with_a_shortcut(name):
    rates, specs = rates_of(name, 0.3)
    for index, (rate, spec) in enumerate(zip(rates, specs, strict=True)):
        expected = 0.3 * index / (len(rates) - 1) if getattr(spec, 'shortcut', True) else 0.0
        assert rate == pytest.approx(expected)
    assert rates[0] == 0.0
    assert rates[-1] == pytest.approx(0.3)


@pytest.mark.parametrize('name', SMALL)
def test_rates_do_not_depend_on_the_levels_built(name):
    every, _ = rates_of(name, 0.3)
    with torch.device('meta'):
        short = rexdense.create_backbone(name, drop_path_rate=0.3, out_indices=(2,))
    found = [b.drop_path.rate for s in short.stages for b in s if hasattr(b, 'drop_path')]
    assert found == every[: len(found)]


def test_whole_images_are_dropped_and_the_rest_is_scaled():
    torch.manual_seed(0)
    out = DropPath(0.25).train()(torch.ones(4000, 2, 3, 3))
    torch.testing.assert_close(out.unique(), torch.tensor([0.0, 1 / 0.75]))
    assert (out == out[:, :1, :1, :1]).all()
    # 4 standard deviations of a binomial share of 4000
    assert (out[:, 0, 0, 0] == 0).float().mean().item() == pytest.approx(0.25, abs=0.028)


@pytest.mark.parametrize('name', SMALL)
def test_evaluation_drops_nothing(name):
    x = image(2, 3, 64, 64)
    with torch.no_grad():
        plain = network(name).eval()(x)
        for found, expected in zip(network(name, drop_path_rate=0.9).eval()(x), plain, strict=True):
            assert torch.equal(found, expected)


@pytest.mark.parametrize('name', SMALL)
def test_training_drops(name):
    x = image(4, 3, 64, 64)
    backbone = network(name, drop_path_rate=0.9, out_indices=(4,), norm_eval=True)
    with torch.no_grad():
        torch.manual_seed(1)
        first = backbone(x)[0]
        torch.manual_seed(1)
        assert torch.equal(backbone(x)[0], first)
        assert not torch.equal(backbone(x)[0], first)
