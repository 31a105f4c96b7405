"""The generated tensor names and shapes are those of the networks."""

import pytest
import torch

import rexdense
from rexdense.arch import architecture, list_backbones
from rexdense.checkpoint.names.native import native_layers

ONE_A_FAMILY = ('rexnetr_1.0', 'rexnet_lite_1.0', 'regnety_200mf', 'resnext50_32x4d')


@pytest.mark.parametrize(
    'name',
    [
        pytest.param(name, marks=() if name in ONE_A_FAMILY else pytest.mark.slow)
        for name in list_backbones()
    ],
)
def test_they_are_those_of_the_classifier_in_its_order(name):
    with torch.device('meta'):
        state = rexdense.create_classifier(name).state_dict()
    expected = [(key.removeprefix('backbone.'), tuple(state[key].shape)) for key in state]
    layers = native_layers(architecture(name)).values()
    assert [
        (f'{layer.path}.{tensor}', shape)
        for layer in layers
        for tensor, shape in layer.shapes.items()
    ] == expected
