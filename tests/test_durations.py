"""Cases that make test-fast leaves out, and the order of the files."""

import ast
import json
from pathlib import Path

import pytest

from tests import durations
from tests.tiny_run import ROOT


class Case:
    """A test case as collected by pytest."""

    def __init__(self, nodeid: str) -> None:
        self.nodeid, self.slow = nodeid, False

    def add_marker(self, marker) -> None:
        self.slow = marker.name == 'slow'


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """A function that replaces the measured durations."""

    def write(**entries):
        names = {f'tests/{name}.py::test': entry for name, entry in entries.items()}
        monkeypatch.setattr(durations, 'FILE', tmp_path / 'durations.json')
        (tmp_path / 'durations.json').write_text(json.dumps(names))

    return write


def test_as_many_cases_as_fit_are_spread_over_all(measured):
    measured(sweep=[8, 0.8], single=[1, 0.3])
    cases = [Case(f'tests/sweep.py::test[{number}]') for number in range(8)]
    others = [Case('tests/single.py::test'), Case('tests/unknown.py::test')]
    durations.mark_slow([*cases, *others])
    assert [number for number, case in enumerate(cases) if not case.slow] == [0, 4]
    assert [case.slow for case in others] == [True, False]


def test_the_longest_file_is_first_and_its_order_stays(measured):
    measured(short=[1, 1.0], long=[2, 9.0])
    cases = [
        Case(f'tests/{name}')
        for name in ('new.py::a', 'short.py::test', 'long.py::test[b]', 'long.py::test[a]')
    ]
    durations.longest_first(cases)
    assert [case.nodeid.rpartition('/')[2] for case in cases] == [
        *('long.py::test[b]', 'long.py::test[a]', 'short.py::test', 'new.py::a')
    ]


def test_what_is_written_is_read(measured, monkeypatch):
    measured(other=[3, 5.0])
    recorder = durations.Recorder()
    for case, phase in (('[0]', 0.3), ('[0]', 0.4), ('[1]', 0.5)):
        report = dict(nodeid=f'tests/a.py::test{case}', location=(), keywords={}, outcome='passed')
        report |= dict(longrepr=None, when='call', duration=phase)
        recorder.pytest_runtest_logreport(pytest.TestReport(**report))
    recorder.pytest_sessionfinish()
    assert durations.read_durations() == {
        'tests/a.py::test': (2, 1.2),
        'tests/other.py::test': (3, 5.0),
    }


def test_the_tests_that_were_measured_are_there():
    names: dict[str, set[str]] = {}
    for name in durations.read_durations():
        file, _, function = name.partition('::')
        names.setdefault(file, set()).add(function.rpartition('::')[2])
    for file, functions in names.items():
        tree = ast.parse(Path(ROOT, file).read_text(encoding='utf-8'))
        there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert functions <= there, file
