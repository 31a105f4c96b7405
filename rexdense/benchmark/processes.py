"""Processes of contestants: started, run in turns, and ended."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rexdense.benchmark.contestants import Contestant
from rexdense.benchmark.machine import busy_share
from rexdense.benchmark.rounds import take_turns


class Peer(NamedTuple):
    """An environment with other packages.

    Attributes:
        python: Its interpreter; None takes this one.
        path: A folder to put first on that interpreter's module path, see
            :class:`~rexdense.benchmark.contestants.Contestant`.
    """

    python: str | None = None
    path: Path | None = None


class Turns(NamedTuple):
    """Times and answers of contestants, by their names.

    Attributes:
        times: Milliseconds in each round.
        facts: See :class:`~rexdense.benchmark.contestants.Contestant`.
        busy: The share of the processors that others used, before and after.
    """

    times: dict[str, list[float]]
    facts: dict[str, dict[str, Any]]
    busy: list[float | None]


def run_in_turns(
    tasks: Mapping[str, dict[str, Any]], peer: Peer, rounds: int, warm_up: int = 2
) -> Turns:
    """Run tasks in turns, each in its own process.

    Args:
        tasks: Tasks by name; ``framework`` is the package of each. 'rexdense' runs in this
            interpreter.

    Raises:
        InvalidArgument: a process does not start, lacks the package, or cannot do its task.
    """
    busy = [busy_share()]
    with contextlib.ExitStack() as stack:
        started = {}
        # Other packages first: they may be missing.
        for name in sorted(tasks, key=lambda name: tasks[name]['framework'] == 'rexdense'):
            own = tasks[name]['framework'] == 'rexdense'
            started[name] = Contestant(tasks[name], *(() if own else peer))
            stack.callback(started[name].close)
        contestants = {name: started[name] for name in tasks}
        times = take_turns(contestants, rounds, warm_up)
        busy.append(busy_share())
    return Turns(times, {name: each.facts for name, each in contestants.items()}, busy)
