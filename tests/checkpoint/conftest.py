"""A classifier with distinctive weights."""

import pytest
import torch

import rexdense


@pytest.fixture(scope='session')
def trained():
    """A classifier in which every tensor, also each counter, differs from a new one's."""
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
