"""The machine that a benchmark runs on: what it is, what it can do at most, whether it is idle."""

import os
import platform
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from rexdense.benchmark.workloads.network import synchronise
from rexdense.deploy.optimization.fused import fuse_activation

BUSY = 0.1
"""The share of the processors from which on a machine counts as busy."""

_MATRIX = dict(cpu=1024)
"""Rows and columns of the matrices, where they are not 8192: an accelerator is soon done."""
_COPIED = 32 * 2**20


class Ceilings(NamedTuple):
    """The most that a device did, in the run itself.

    Attributes:
        multiplications: Multiply-accumulates a second of a matrix product, by the name of its type,
            by the fastest library.
        copied: Bytes a second of a copy, read and written.
    """

    multiplications: dict[str, float]
    copied: float


def measure_ceilings(
    device: str = 'cpu', dtypes: Collection[str] = ('float32',), times: int = 20
) -> Ceilings:
    """Return the best of several matrix products in each type, and of copies (128 MiB).

    Products are those of a 1x1 convolution, too: for float32 torch has them from MKL, which on an
    AMD processor is slower than oneDNN, of which convolutions are.
    """

    def best(action) -> float:
        seconds = []
        for _ in range(times):
            synchronise(device)
            start = time.perf_counter()
            action()
            synchronise(device)
            seconds.append(time.perf_counter() - start)
        return min(seconds)

    def multiplications(dtype: str) -> float:
        side = _MATRIX.get(device, 8192)
        matrix = torch.rand(side, side, device=device).to(getattr(torch, dtype))
        product, layer = torch.empty_like(matrix), nn.Conv2d(side, side, 1, bias=False).to(matrix)
        fuse_activation(layer, None)
        # A row is a pixel, a column a channel.
        pixels = matrix.view(1, 32, side // 32, side).permute(0, 3, 1, 2)
        with torch.inference_mode():
            seconds = best(lambda: torch.mm(matrix, matrix, out=product))
            seconds = min(seconds, best(lambda: layer(pixels)))
        return side**3 / seconds

    numbers = torch.rand(_COPIED, device=device)
    copy = torch.empty_like(numbers)
    return Ceilings(
        {dtype: multiplications(dtype) for dtype in dtypes},
        2 * numbers.nbytes / best(lambda: copy.copy_(numbers)),
    )


def busy_share(seconds: float = 1.0) -> float | None:
    """Return the share of the processors' time that others use while this process sleeps, from 0 to
    1; None where the system does not tell."""
    before = _ticks()
    time.sleep(seconds)
    after = _ticks()
    if before is None or after is None:
        return None
    idle, total = (later - earlier for earlier, later in zip(before, after, strict=True))
    return 1 - idle / max(total, 1)


def _ticks() -> tuple[int, int] | None:
    """Return the idle time of all processors, and their time in all (proc(5), /proc/stat)."""
    try:
        fields = Path('/proc/stat').read_text().splitlines()[0].split()[1:9]
    except OSError:
        return None
    times = [int(field) for field in fields]
    return times[3] + times[4], sum(times)  # idle and waiting for a disk


def free_bytes() -> int | None:
    """Return the memory that is free, in bytes; None where the system does not tell."""
    try:
        lines = Path('/proc/meminfo').read_text().splitlines()
    except OSError:
        return None
    (free,) = (line.split()[1] for line in lines if line.startswith('MemAvailable:'))
    return int(free) * 1024


def describe_machine() -> dict[str, Any]:
    """Return the machine's facts that a reader of figures must know, as plain values."""
    return dict(
        processor=_processor(),
        cores=os.cpu_count(),
        system=f'{platform.system()} {platform.release()}',
        python=platform.python_version(),
        torch=torch.__version__,
    )


def _processor() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.machine()
