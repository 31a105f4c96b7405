"""Small networks of every family, in which every part has an effect."""

import torch
from torch import nn

import rexdense

SMALL = ('rexnet_1.0', 'rexnet_lite_1.0', 'rexnetr_1.0', 'regnetx_200mf', 'regnety_200mf')
SMALL += ('resnext50_32x4d',)
"""One name per kind."""

SQUEEZED = ('rexnet_1.0', 'rexnetr_1.0', 'regnety_200mf')
"""The names with squeeze-excitation."""


def randomise(module: nn.Module, seed: int = 0) -> nn.Module:
    """Give normalisations random scales, shifts and statistics, so that every part has an effect.

    New networks have residual branches that end in a scale of 0.
    """
    generator = torch.Generator().manual_seed(seed)
    for part in module.modules():
        norm = isinstance(part, nn.BatchNorm2d | nn.SyncBatchNorm | nn.GroupNorm)
        if norm and part.weight is not None:
            nn.init.uniform_(part.weight, 0.5, 1.0, generator=generator)
            nn.init.uniform_(part.bias, -0.2, 0.2, generator=generator)
        if norm and getattr(part, 'running_mean', None) is not None:
            nn.init.uniform_(part.running_mean, -0.2, 0.2, generator=generator)
            nn.init.uniform_(part.running_var, 0.5, 1.5, generator=generator)
    return module


def network(name: str, **arguments) -> nn.Module:
    """Return a backbone in training mode, the same at every call."""
    torch.manual_seed(0)
    return randomise(rexdense.create_backbone(name, **arguments)).train()


def image(*shape: int, seed: int = 0) -> torch.Tensor:
    """Return normal noise."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Return the largest difference over the largest expected value."""
    return ((found - expected).abs().max() / expected.abs().max()).item()
