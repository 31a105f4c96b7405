"""The machine of a benchmark: its description, its peak performance, and whether it is idle."""

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
"""The share of the processors above which a machine counts as busy."""

_MATRIX = dict(cpu=1024)
"""Rows and columns of the matrices by device, 8192 for others: accelerators are fast."""
_COPIED = 32 * 2**20


class Ceilings(NamedTuple):
    """Peak performance of a device, measured during the run.

    Attributes:
        multiplications: Multiply-accumulates per second of a matrix product, by dtype, with the
            fastest library.
        copied: Bytes per second of a copy, counting reads and writes.
    """

    multiplications: dict[str, float]
    copied: float


def measure_ceilings(
    device: str = 'cpu', dtypes: Collection[str] = ('float32',), times: int = 20
) -> Ceilings:
    """Return the best of several matrix products per dtype, and of copies (128 MiB).

    Products are also computed as 1x1 convolutions. For float32, torch computes products with MKL,
    which on an AMD processor is slower than oneDNN, which computes convolutions.
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
        # A row is a pixel, a column is a channel.
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
    """Return the share of the processors' time that other processes use, from 0 to 1, while this
    process sleeps; None if the system does not report it."""
    before = _ticks()
    time.sleep(seconds)
    after = _ticks()
    if before is None or after is None:
        return None
    idle, total = (later - earlier for earlier, later in zip(before, after, strict=True))
    return 1 - idle / max(total, 1)


def _ticks() -> tuple[int, int] | None:
    """Return the idle time and the total time of all processors (proc(5), /proc/stat)."""
    try:
        fields = Path('/proc/stat').read_text().splitlines()[0].split()[1:9]
    except OSError:
        return None
    times = [int(field) for field in fields]
    return times[3] + times[4], sum(times)  # idle and I/O wait


def free_bytes() -> int | None:
    """Return the free memory in bytes; None if the system does not report it."""
    try:
        lines = Path('/proc/meminfo').read_text().splitlines()
    except OSError:
        return None
    (free,) = (line.split()[1] for line in lines if line.startswith('MemAvailable:'))
    return int(free) * 1024


def describe_machine() -> dict[str, Any]:
    """Return facts about the machine that readers of figures need, as plain values."""
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
