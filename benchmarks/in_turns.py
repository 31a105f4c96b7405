"""What the benchmarks share: a peer in a process of its own, and turns.

Each side has its own process, and one waits while the other runs, so that a busy machine slows both
alike. Only ratios mean anything there: they are medians over the rounds, of two times of one round.
Set OMP_WAIT_POLICY=passive there: threads that spin while they wait take the time of others.
"""

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from kept_memory import bytes_kept

WARM_UP = 2


class Contestant(Protocol):
    """Something that is timed: ``run()`` returns the milliseconds of one pass or step."""

    def run(self) -> float: ...


class Network:
    """A network in this process, timed on one batch of images.

    Args:
        mode: 'infer', or 'train' for a forward and a backward pass.

    Attributes:
        parameters: Their number.
        kept: Megabytes that are there between the forward and the backward pass, see
            kept_memory.py; None in mode 'infer'.
    """

    def __init__(self, model: torch.nn.Module, mode: str, shape: Sequence[int]) -> None:
        self.model, self.mode = model.train(mode == 'train'), mode
        self.image = torch.randn(*shape)
        self.parameters = sum(parameter.numel() for parameter in model.parameters())
        self.kept = bytes_kept(model, self.image) / 1e6 if mode == 'train' else None

    def run(self) -> float:
        start = time.perf_counter()
        if self.mode == 'infer':
            with torch.inference_mode():
                self.model(self.image)
        else:
            sum(map_.float().mean() for map_ in maps_of(self.model(self.image))).backward()
            self.model.zero_grad(set_to_none=True)
        return (time.perf_counter() - start) * 1e3


class Peer:
    """A contestant in a process of another interpreter, which runs this program with --serve.

    Args:
        program: The file that calls :func:`serve`.
        task: Given to its ``build``; for a network also ``mode`` and ``shape``, see
            :class:`Network`.
    """

    def __init__(self, options: argparse.Namespace, program: str, **task: Any) -> None:
        served = json.dumps(task | {'threads': options.threads})
        command = [options.peer, program, '--serve', served, '--peer-path', options.peer_path]
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        except OSError as error:
            raise SystemExit(f'--peer {options.peer}: {error.strerror}') from error
        self.parameters, self.kept = self._read()

    def _read(self) -> Any:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f'{self.process.args[0]} ended; its message stands above')
        return json.loads(line)

    def run(self) -> float:
        self.process.stdin.write('\n')
        self.process.stdin.flush()
        return self._read()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def serve(
    options: argparse.Namespace, build: Callable[[dict], torch.nn.Module | Contestant]
) -> None:
    """Be a peer: run once for each line on standard input."""
    answers, sys.stdout = sys.stdout, sys.stderr  # packages may print while they are imported
    task = json.loads(options.serve)
    torch.set_num_threads(task['threads'])
    sys.path.insert(0, options.peer_path)
    try:
        if (Path(options.peer_path) / 'torchvision_shim.py').exists():
            importlib.import_module('torchvision_shim')
        built = build(task)
    except ImportError as error:
        raise SystemExit(f'{sys.executable}: {error}') from error
    if isinstance(built, torch.nn.Module):
        built = Network(built, task['mode'], task['shape'])
    facts = [getattr(built, name, None) for name in ('parameters', 'kept')]
    print(json.dumps(facts), file=answers, flush=True)
    for _ in sys.stdin:
        print(json.dumps(built.run()), file=answers, flush=True)


def add_options(parser: argparse.ArgumentParser, peer: str) -> None:
    """Add the options of every benchmark; ``peer`` is the package to measure against."""
    parser.add_argument('--peer', help=f'interpreter of an environment with {peer}')
    parser.add_argument('--peer-path', default='.', help="added to the peer's module path")
    parser.add_argument('--threads', type=_positive, default=2)
    parser.add_argument('--rounds', type=_positive, default=8)
    parser.add_argument('--serve', help=argparse.SUPPRESS)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text!r}: give a whole number above 0')
    return int(text)


def take_turns(contestants: dict[str, Contestant], rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of each contestant in each round, after two rounds to warm up."""
    times = {key: [] for key in contestants}
    for _ in range(WARM_UP + rounds):
        for key, contestant in contestants.items():
            times[key].append(contestant.run())
    return {key: own[WARM_UP:] for key, own in times.items()}


def ratio(times: Sequence[float], reference: Sequence[float]) -> float:
    """Return the median ratio of times that were taken in turns."""
    return statistics.median(a / b for a, b in zip(times, reference, strict=True))


def maps_of(output: Any) -> list[torch.Tensor]:
    """Return the tensors that a network has returned as one, a sequence or a dict."""
    if isinstance(output, torch.Tensor):
        return [output]
    return list(output.values() if isinstance(output, dict) else output)
