"""Durations of tests in ``durations.json``, which determine slow cases and the order of files.

``make test ARGS=--write-durations`` measures the tests that run. The file lists the tests that take
the budget or more, with the number of cases and their total seconds.
"""

import json
from collections import Counter
from pathlib import Path

import pytest

FILE = Path(__file__).with_name('durations.json')
BUDGET = 0.2
"""Seconds per test function in ``make test-fast``, which runs as many of its cases as fit."""


def read_durations() -> dict[str, tuple[int, float]]:
    """Return cases and seconds by test function, such as ``tests/test_setup.py::test_name``."""
    return {name: tuple(entry) for name, entry in json.loads(FILE.read_text()).items()}


def function_of(name: str) -> str:
    """Return the test function of a case's node id."""
    return name.partition('[')[0]


def mark_slow(items: list[pytest.Item]) -> None:
    """Mark the cases that exceed the budget of their function. The other cases are spread evenly,
    so that a sweep over networks keeps some of each family."""
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
    """Sort the longest files first, so that the last worker does not end late."""
    totals: Counter[str] = Counter()
    for name, (_, seconds) in read_durations().items():
        totals[name.partition('::')[0]] += seconds
    items.sort(key=lambda item: -totals[item.nodeid.partition('::')[0]])


class Recorder:
    """Sums the durations of tests, and writes them at the end."""

    def __init__(self) -> None:
        self._seconds: Counter[str] = Counter()
        self._cases: dict[str, set[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a phase of a test: its setup, call or teardown."""
        name = function_of(report.nodeid)
        self._seconds[name] += report.duration
        self._cases.setdefault(name, set()).add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Write the file, and keep the entries of tests that did not run."""
        entries = {
            name: entry for name, entry in read_durations().items() if name not in self._seconds
        }
        for name, seconds in self._seconds.items():
            if seconds >= BUDGET:
                entries[name] = (len(self._cases[name]), round(seconds, 1))
        lines = (f'{json.dumps(name)}: {json.dumps(entries[name])}' for name in sorted(entries))
        FILE.write_text('{\n' + ',\n'.join(lines) + '\n}\n')
