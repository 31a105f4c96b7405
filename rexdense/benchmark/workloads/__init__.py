"""Workloads beside networks, a module a kind of benchmark, imported where it runs.

Each has ``prepare(task)``, which returns an object whose ``run()`` returns milliseconds and whose
``facts`` are what else it says of itself.
"""

import importlib
from typing import Any, Protocol

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


class Workload(Protocol):
    """Something that is timed, and what it says of itself."""

    facts: dict[str, Any]

    def run(self) -> float: ...


def prepare_workload(task: dict[str, Any]) -> Workload:
    """Return the workload of a task, whose ``kind`` is one of :data:`WORKLOADS`."""
    module = importlib.import_module(f'rexdense.benchmark.workloads.{WORKLOADS[task["kind"]]}')
    return module.prepare(task)
