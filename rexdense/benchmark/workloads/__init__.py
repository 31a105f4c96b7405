"""Workloads other than networks: one module per kind of benchmark, imported in its process.

Each has a function ``prepare(task)``, which returns an object: its ``run()`` returns milliseconds,
and its ``facts`` are further results.
"""

import importlib
import time
from collections.abc import Callable
from typing import Any

from rexdense.benchmark.rounds import Runs

__all__ = ['WORKLOADS', 'Workload', 'prepare_workload']

WORKLOADS = {
    'annotations': 'annotations',
    'detector': 'detector',
    'eval': 'evaluation',
    'export': 'graphs',
    'loader': 'loader',
    'model-step': 'model_step',
}
"""The modules of this folder, by the kind of benchmark."""


class Workload:
    """Work that runs once per turn.

    Args:
        work: Function to time.
        tell: Function from the result of the work to ``facts``; it is not timed.
        clock: Function that returns seconds.
    """

    def __init__(
        self,
        work: Callable[[], Any],
        tell: Callable[[Any], dict[str, Any]],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._work, self._tell, self._clock = work, tell, clock
        self.facts: dict[str, Any] = {}

    def run(self) -> float:
        """Return the milliseconds of the work."""
        start = self._clock()
        result = self._work()
        elapsed = self._clock() - start
        self.facts = self._tell(result)
        return elapsed * 1e3


def prepare_workload(task: dict[str, Any]) -> Runs:
    """Return the workload of a task with a ``kind`` of :data:`WORKLOADS`."""
    module = importlib.import_module(f'rexdense.benchmark.workloads.{WORKLOADS[task["kind"]]}')
    return module.prepare(task)
