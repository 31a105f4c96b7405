"""The process of a contestant: it builds a network and runs it once for each line it is sent."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from rexdense.benchmark.memory import bytes_kept, most_resident_bytes
from rexdense.benchmark.networks import build_network
from rexdense.device.memory import reuse_freed_memory
from rexdense.errors import RexdenseError

__all__ = ['Timed', 'serve']

SHORTEST = 0.2
"""Seconds that a turn lasts at least: a single pass of a small network says little."""


class Timed:
    """A network on one batch of images.

    Args:
        training: A turn is forward and backward passes, otherwise forward passes alone.

    Attributes:
        kept: Bytes that are there between the forward and the backward pass, and were not before.
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
        self.kept = None
        if training:
            network.train()
            self.kept = bytes_kept(network, images)
            network.zero_grad(set_to_none=True)

    def run(self) -> float:
        """Return the milliseconds of a pass: the mean of as many as make up a turn."""
        passes, start = 0, time.perf_counter()
        while not passes or time.perf_counter() - start < SHORTEST:
            self._train() if self.training else self._infer()
            passes += 1
        return (time.perf_counter() - start) / passes * 1e3

    def _infer(self) -> None:
        with torch.inference_mode():
            self.network(self.images)
        self._wait()

    def _train(self) -> None:
        maps = tree_leaves(self.network(self.images))
        sum(each.float().mean() for each in maps).backward()
        self.network.zero_grad(set_to_none=True)
        self._wait()

    def _wait(self) -> None:
        if self.device != 'cpu':
            getattr(torch, self.device.partition(':')[0]).synchronize()


def serve() -> None:
    """Be a contestant: the first line of standard input is the task, each further line a turn."""
    answers, sys.stdout = sys.stdout, sys.stderr  # packages may print while they are imported

    def answer(**values: Any) -> None:
        print(json.dumps(values), file=answers, flush=True)

    task = json.loads(sys.stdin.readline())
    try:
        timed = _prepare(task)
    except (ImportError, RexdenseError, MemoryError) as error:
        missing = task['framework'] if isinstance(error, ImportError) else None
        answer(error=' '.join(str(error).split()), missing=missing)
        return
    except Exception as error:  # of the packages, each of its own kind
        first = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        answer(error=f'{first} ({type(error).__name__})', missing=None)
        return
    package = sys.modules.get(task['framework'])
    version = getattr(package, '__version__', None)
    answer(kept=timed.kept, version=version)
    for _ in sys.stdin:
        milliseconds = timed.run()
        answer(milliseconds=milliseconds, resident=most_resident_bytes())


def _prepare(task: dict[str, Any]) -> Timed:
    torch.set_num_threads(task['threads'])
    if task['allocator'] == 'reuse':
        reuse_freed_memory()
    torch.manual_seed(0)
    network = build_network(task)
    device = task['device']
    if isinstance(network, nn.Module):
        network = network.to(device)
    # Optimised networks take float32, whatever they compute in.
    lower = task['dtype'] == 'bfloat16' and task['framework'] in ('timm', 'torchvision', 'smp')
    return Timed(
        network,
        task['shape'],
        task['kind'] == 'train-step',
        device,
        torch.bfloat16 if lower else torch.float32,
        bool(task.get('channels_last')),
    )
