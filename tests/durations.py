"""How long tests took, as ``durations.json`` has it: which cases are slow, which files go first.

``make test ARGS=--write-durations`` measures anew, all tests or those that are run. The file has
the tests that took the budget or more, all cases of a parametrised one together: the number of its
cases, and their seconds.
"""

import json
from collections import Counter
from pathlib import Path

import pytest

FILE = Path(__file__).with_name('durations.json')
BUDGET = 0.2
"""Seconds that each test function has in ``make test-fast``: of its cases as many run as fit."""


def read_durations() -> dict[str, tuple[int, float]]:
    """Cases and their seconds by test function, as ``tests/test_files.py::test_name``."""
    return {name: tuple(entry) for name, entry in json.loads(FILE.read_text()).items()}


def function_of(name: str) -> str:
    """The test function of a case's node id."""
    return name.partition('[')[0]


def mark_slow(items: list[pytest.Item]) -> None:
    """Mark the cases that do not fit into the budget of their function; those that do are spread
    evenly over all, so that a sweep over networks keeps some of each family."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        cases.setdefault(function_of(item.nodeid), []).append(item)
    for name, (count, seconds) in read_durations().items():
        there = cases.get(name, [])
        kept = int(count * BUDGET / seconds)
        chosen = {place * len(there) // kept for place in range(kept)}
        for place, item in enumerate(there):
            if place not in chosen:
                item.add_marker(pytest.mark.slow)


def longest_first(items: list[pytest.Item]) -> None:
    """Put the files that take longest first: the last to begin keeps nobody waiting."""
    totals: Counter[str] = Counter()
    for name, (_, seconds) in read_durations().items():
        totals[name.partition('::')[0]] += seconds
    items.sort(key=lambda item: -totals[item.nodeid.partition('::')[0]])


class Recorder:
    """Sums what tests take, and writes it down after the last of them."""

    def __init__(self) -> None:
        self._seconds: Counter[str] = Counter()
        self._cases: dict[str, set[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a phase of a test: its fixtures, itself, or what tidies up."""
        name = function_of(report.nodeid)
        self._seconds[name] += report.duration
        self._cases.setdefault(name, set()).add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Write the file; of tests that were not run it keeps what it has."""
        entries = {
            name: entry for name, entry in read_durations().items() if name not in self._seconds
        }
        for name, seconds in self._seconds.items():
            if seconds >= BUDGET:
                entries[name] = (len(self._cases[name]), round(seconds, 1))
        lines = (f'{json.dumps(name)}: {json.dumps(entries[name])}' for name in sorted(entries))
        FILE.write_text('{\n' + ',\n'.join(lines) + '\n}\n')
