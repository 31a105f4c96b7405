"""A network on one batch of images, timed."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from rexdense.benchmark.memory import bytes_kept

SHORTEST = 0.2
"""Minimum seconds of a turn: a single pass of a small network is too short to measure."""


def take_turn(action: Callable[[], Any]) -> float:
    """Return the mean milliseconds of an action, repeated for the length of a turn."""
    passes, start = 0, time.perf_counter()
    while not passes or time.perf_counter() - start < SHORTEST:
        action()
        passes += 1
    return (time.perf_counter() - start) / passes * 1e3


def synchronise(device: str) -> None:
    """Wait until a device has finished its work."""
    if device != 'cpu':
        getattr(torch, device.partition(':')[0]).synchronize()


class Timed:
    """A network on one batch of images.

    Args:
        training: Whether a turn has forward and backward passes, or only forward passes.

    Attributes:
        facts: In training ``kept``, the bytes that the forward pass keeps for the backward pass.
    """

    def __init__(
        self,
        network: nn.Module | Callable,
        shape: Sequence[int],
        training: bool,
        device: str = 'cpu',
        dtype: torch.dtype = torch.float32,
        channels_last: bool = False,
    ) -> None:
        torch.manual_seed(0)
        images = torch.randn(*shape, device=device, dtype=dtype)
        if channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        self.network, self.images, self.training = network, images, training
        self.device = device
        self.facts = {}
        if training:
            network.train()
            self.facts['kept'] = bytes_kept(network, images)
            network.zero_grad(set_to_none=True)

    def run(self) -> float:
        """Return the mean milliseconds of a pass."""
        return take_turn(self._train if self.training else self._infer)

    def _infer(self) -> None:
        with torch.inference_mode():
            self.network(self.images)
        synchronise(self.device)

    def _train(self) -> None:
        maps = tree_leaves(self.network(self.images))
        sum(each.float().mean() for each in maps).backward()
        self.network.zero_grad(set_to_none=True)
        synchronise(self.device)
