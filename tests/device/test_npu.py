"""The checks on the simulated NPU, see tests/simulated_npu, in a process of their own."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('mmdet')

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / 'tests/simulated_npu'
CHECKS = FOLDER / 'checks.py'
NAMES = [
    node.name
    for node in ast.parse(CHECKS.read_text(encoding='utf-8')).body
    if isinstance(node, ast.FunctionDef) and node.name.startswith('test_')
]
ENVIRONMENT = os.environ | {'PYTHONPATH': f'{ROOT}{os.pathsep}{FOLDER}', 'OMP_NUM_THREADS': '1'}


@pytest.fixture(scope='module')
def outcomes() -> dict[str, set[str]]:
    """How the checks ended, by name: PASSED, or FAILED and what pytest prints of it."""
    options = ('-q', '-rA', '-p', 'no:cacheprovider', '-p', 'no:xdist', '--durations=0')
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', str(CHECKS), *options],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={name: value for name, value in ENVIRONMENT.items() if name != 'PYTEST_ADDOPTS'},
    )
    print(done.stdout[-6000:], done.stderr[-2000:])
    found: dict[str, set[str]] = {}
    for outcome, name in re.findall(r'^(\w+) \S+::(\w+)', done.stdout, re.MULTILINE):
        if outcome != 'PASSED':
            outcome += f': {_section(done.stdout, name)}'
        found.setdefault(name, set()).add(outcome)
    return found


def _section(printed: str, name: str) -> str:
    """The end of what pytest prints of a failed check."""
    found = re.search(rf'^_+ {name}\b.*?(?=^_+ \w+|^=+ )', printed, re.MULTILINE | re.DOTALL)
    return found.group()[-3000:] if found else ''


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_on_the_simulated_npu(name, outcomes):
    assert outcomes.get(name) == {'PASSED'}
