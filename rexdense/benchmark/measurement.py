"""Comparison of a network with those of other packages: contestants, processes, figures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rexdense.benchmark.contestants import AS_SHIPPED, contestants_of
from rexdense.benchmark.machine import free_bytes, measure_ceilings
from rexdense.benchmark.networks import PEERS, build_network
from rexdense.benchmark.processes import Peer, run_in_turns
from rexdense.benchmark.report import Kept, figures_of, require_same, result_of
from rexdense.checkpoint.sidecar import read_sidecar
from rexdense.device import require_bfloat16
from rexdense.errors import InvalidArgument, suggest
from rexdense.zoo.complexity import Complexity, count_complexity

WHOLE_MODELS = ('detector', 'model-step')
"""Kinds whose ``name`` is a config."""
STEPS = ('train-step', 'model-step')
_MOST = 2**40
"""Numbers of a batch. Maps in a network have a hundred times as many."""
_WORDS = {'model-step': "a config's train-step"}


@dataclass(frozen=True)
class Benchmark:
    """The settings of a benchmark.

    Attributes:
        kind: 'backbone', 'train-step', 'segmentor', 'detector' or 'model-step', a training step of
            a whole model.
        name: rexdense's name of the network; for a whole model, its config.
        shape: Shape of a batch of images, (N, 3, H, W).
        against: Other packages, see :data:`rexdense.benchmark.networks.PEERS`.
        peer_python: The interpreter with these packages; None takes this one.
        peer_path: A folder to put first on that interpreter's module path, see
            :class:`~rexdense.benchmark.contestants.Contestant`.
        allocators: 'default' for the settings of a new process, 'reuse' for those of rexdense's
            programs.
        graph: rexdense's ONNX graph of the network, for other runtimes.
        objects: Objects drawn in each image for a step of a whole model; None draws 20.
    """

    kind: str
    name: str
    shape: tuple[int, ...]
    against: tuple[str, ...] = ()
    peer_python: str | None = None
    peer_path: Path | None = None
    threads: int = 2
    rounds: int = 9
    device: str = 'cpu'
    dtype: str = 'float32'
    compiled: bool = False
    allocators: tuple[str, ...] = ('default', 'reuse')
    graph: Path | None = None
    objects: int | None = None

    def task(self, form: dict[str, Any]) -> dict[str, Any]:
        """Return the task of a contestant for a form of :func:`contestants_of`."""
        own = dict(
            kind=self.kind,
            name=self.name,
            shape=self.shape,
            threads=self.threads,
            device=self.device,
            dtype='float32',
            graph=str(self.graph),
            objects=self.objects,
        )
        return own | form


def measure_networks(benchmark: Benchmark, kept: Kept = None) -> dict[str, Any]:
    """Return the figures of all contestants, and ``why_no_result``, as plain values.

    Args:
        kept: Figures that are to be of the same benchmark.

    Raises:
        InvalidArgument: an option cannot be satisfied.
    """
    _check(benchmark)
    if benchmark.dtype == 'bfloat16':
        require_bfloat16(benchmark.device)
    forms = contestants_of(
        benchmark.kind,
        benchmark.against,
        benchmark.dtype,
        benchmark.compiled,
        benchmark.allocators,
    )
    reference = next((name for name in forms if not name.startswith('rexdense')), next(iter(forms)))
    about = {name: _plain(value) for name, value in vars(benchmark).items()}
    require_same(kept, about, reference, forms)
    counts = count_complexity(_counted_network(benchmark), benchmark.shape)
    _require_memory(benchmark, counts, len(forms))
    tasks = {name: benchmark.task(form) for name, form in forms.items()}
    dtypes = dict.fromkeys(task['dtype'] for task in tasks.values())
    torch.set_num_threads(benchmark.threads)
    ceilings = measure_ceilings(benchmark.device, dtypes)
    peer = Peer(benchmark.peer_python, benchmark.peer_path)
    times, facts, busy = run_in_turns(tasks, peer, benchmark.rounds)
    # A backward pass costs two forward passes. Of a whole model the backbone alone is counted.
    macs = counts.macs * (3 if benchmark.kind == 'train-step' else 1)
    macs = None if benchmark.kind in WHOLE_MODELS else macs
    # smp's U-Net upsamples before its last block, so it does more work than is counted of ours.
    most = {
        name: ceilings.multiplications[task['dtype']]
        for name, task in tasks.items()
        if task['framework'] != 'smp'
    }
    figures = figures_of(times, facts, reference, macs, most)
    return result_of(
        about,
        busy,
        reference,
        figures,
        macs=macs,
        parameters=counts.parameters,
        ceilings=ceilings._asdict(),
    )


def _counted_network(benchmark: Benchmark) -> nn.Module:
    """Return the network whose cost can be counted; of a whole model, the backbone."""
    if benchmark.kind not in WHOLE_MODELS:
        return build_network(benchmark.task(dict(framework='rexdense')))
    # This needs mmengine and mmdet, which the other kinds do not.
    from rexdense.benchmark.workloads.detector import build_detector
    from rexdense.benchmark.workloads.model_step import build_trained

    if benchmark.kind == 'model-step':
        return build_trained(benchmark.name, benchmark.shape).backbone
    return build_detector(benchmark.name).backbone


def _check(benchmark: Benchmark) -> None:
    allowed = PEERS[benchmark.kind]
    for package in benchmark.against:
        if package not in allowed:
            raise InvalidArgument(
                f'--against {package}: {_WORDS.get(benchmark.kind, benchmark.kind)} has '
                f'{suggest(package, allowed)}'
            )
        if package in AS_SHIPPED and (benchmark.graph is None or not benchmark.graph.is_file()):
            raise InvalidArgument(
                f'--against {package} runs our own graph: write it by rexdense export '
                f'{"detector" if benchmark.kind == "detector" else "backbone"} CHECKPOINT --format '
                f'onnx, and give it as --graph; {benchmark.graph} is no file'
            )
    if benchmark.kind == 'backbone' and benchmark.graph is not None:
        # What stands beside it; of networks without a name nothing.
        of = read_sidecar(benchmark.graph).get('architecture') or benchmark.name
        if of != benchmark.name:
            raise InvalidArgument(
                f'--graph {benchmark.graph} is of {of}, not of {benchmark.name}: measure {of}, or '
                f'export {benchmark.name}'
            )
    if benchmark.kind in STEPS and (benchmark.dtype != 'float32' or benchmark.compiled):
        raise InvalidArgument(
            'a step of training is measured in float32 and not compiled: leave --dtype and '
            '--compile out'
        )
    if benchmark.objects is not None and benchmark.kind != 'model-step':
        raise InvalidArgument(
            f'--objects {benchmark.objects}: objects are drawn for the step of a config; leave it '
            'out, or give the config of a detector or segmentor'
        )
    if len(benchmark.shape) != 4 or benchmark.shape[1] != 3:
        raise InvalidArgument(f'--shape {_text(benchmark.shape)}: images have 3 channels, N,3,H,W')
    if math.prod(benchmark.shape) > _MOST:
        raise InvalidArgument(
            f'--shape {_text(benchmark.shape)}: torch cannot count the bytes of its maps; give a '
            'smaller shape'
        )


def _require_memory(benchmark: Benchmark, counts: Complexity, processes: int) -> None:
    """Refuse shapes that do not fit into memory.

    A training pass keeps at least the outputs of all convolutions. An inference pass keeps about as
    much as the largest few of them, an eighth of all. Each process needs its own memory.
    """
    free = free_bytes()
    share = 1 if benchmark.kind in STEPS else 1 / 8
    needed = counts.activations * 4 * share * processes
    if benchmark.device == 'cpu' and free is not None and needed > free:
        raise InvalidArgument(
            f'--shape {_text(benchmark.shape)}: {processes} processes would need at least '
            f'{needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free: give a smaller shape'
        )


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _text(shape: Sequence[int]) -> str:
    return 'x'.join(map(str, shape))
