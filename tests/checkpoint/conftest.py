"""A classifier whose weights are told from any other's."""

import pytest
import torch

import rexdense


@pytest.fixture(scope='session')
def trained():
    """A classifier whose every tensor differs from a new one's, its counters too."""
    torch.manual_seed(0)
    model = rexdense.create_classifier('rexnet_1.0')
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5)
        else:
            tensor.fill_(7)
    return model


@pytest.fixture(scope='session')
def state(trained):
    return trained.state_dict()
