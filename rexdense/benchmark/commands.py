"""Times of Python processes: starting, importing a package, showing a program's help."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import rexdense
from rexdense.benchmark.machine import busy_share
from rexdense.benchmark.report import Kept, figures_of, require_same, result_of
from rexdense.benchmark.rounds import take_turns
from rexdense.errors import InvalidArgument


class _Command:
    """A command, timed from its start to its end.

    Args:
        remedy: What a user can do where it fails, as the end of the message.
    """

    def __init__(self, *arguments: str, remedy: str = '') -> None:
        self._arguments, self._remedy = arguments, remedy
        beside = str(Path(rexdense.__file__).parents[1])
        path = os.pathsep.join(filter(None, (beside, os.environ.get('PYTHONPATH'))))
        is_own = arguments[0] == sys.executable
        self._environment = os.environ | ({'PYTHONPATH': path} if is_own else {})

    def run(self) -> float:
        """Return the milliseconds that the command takes.

        Raises:
            InvalidArgument: it fails.
        """
        start = time.perf_counter()
        try:
            done = subprocess.run(
                self._arguments, capture_output=True, text=True, env=self._environment
            )
        except OSError as error:
            raise InvalidArgument(
                f'{self._arguments[0]}: {error.strerror}{self._remedy}'
            ) from error
        if done.returncode:
            last = (done.stderr.strip() or 'no message').splitlines()[-1]
            raise InvalidArgument(f'{" ".join(self._arguments)} ends with: {last}{self._remedy}')
        return (time.perf_counter() - start) * 1e3


def measure_imports(
    rounds: int,
    against: tuple[str, ...] = (),
    peer_python: str | None = None,
    kept: Kept = None,
) -> dict[str, Any]:
    """Return the figures of starting Python, importing rexdense and showing its help, and of
    importing other packages, as plain values."""
    contestants = {
        'python': _Command(sys.executable, '-c', 'pass'),
        'import rexdense': _Command(sys.executable, '-c', 'import rexdense'),
        'rexdense --help': _Command(sys.executable, '-m', 'rexdense', '--help'),
    }
    for package in against:
        interpreter = peer_python or sys.executable
        remedy = f'; give --peer-python an interpreter that has {package}'
        contestants[f'import {package}'] = _Command(
            interpreter, '-c', f'import {package}', remedy=remedy
        )
    about = dict(kind='import', rounds=rounds, against=list(against))
    require_same(kept, about, 'python', contestants)
    busy = [busy_share()]
    times = take_turns(contestants, rounds)
    busy.append(busy_share())
    figures = figures_of(times, {name: {} for name in times}, 'python')
    return result_of(about, busy, 'python', figures)
