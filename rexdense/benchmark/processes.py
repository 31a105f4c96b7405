"""Contestants started, run in turns and ended."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rexdense.benchmark.contestants import Contestant
from rexdense.benchmark.machine import busy_share
from rexdense.benchmark.rounds import take_turns


class Peer(NamedTuple):
    """An environment with the packages of others.

    Attributes:
        python: The interpreter that has them; None takes this one.
        path: A folder in front of that interpreter's module path, see
            :class:`~rexdense.benchmark.contestants.Contestant`.
    """

    python: str | None = None
    path: Path | None = None


class Turns(NamedTuple):
    """Times and answers of contestants, by their names.

    Attributes:
        times: Milliseconds in each round.
        facts: See :class:`~rexdense.benchmark.contestants.Contestant`.
        busy: The share of the processors that others took, before and after.
    """

    times: dict[str, list[float]]
    facts: dict[str, dict[str, Any]]
    busy: list[float | None]


def run_in_turns(
    tasks: Mapping[str, dict[str, Any]], peer: Peer, rounds: int, warm_up: int = 2
) -> Turns:
    """Run tasks in processes of their own, in turns.

    Args:
        tasks: By name; ``framework`` is the package that each needs, of which 'rexdense' is run by
            this interpreter.

    Raises:
        InvalidArgument: a process cannot be started, or lacks the package or what is asked of it.
    """
    busy = [busy_share()]
    with contextlib.ExitStack() as stack:
        started = {}
        # Those of others first: they may not be there.
        for name in sorted(tasks, key=lambda name: tasks[name]['framework'] == 'rexdense'):
            own = tasks[name]['framework'] == 'rexdense'
            started[name] = Contestant(tasks[name], *(() if own else peer))
            stack.callback(started[name].close)
        contestants = {name: started[name] for name in tasks}
        times = take_turns(contestants, rounds, warm_up)
        busy.append(busy_share())
    return Turns(times, {name: each.facts for name, each in contestants.items()}, busy)
