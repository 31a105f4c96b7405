"""The set-up: requirement files, setup.py, and what `make setup` says when it cannot go on."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import rexdense
import setup_environment

ROOT = Path(__file__).resolve().parent.parent
FILES = {path.name: path.read_text() for path in ROOT.glob('requirements/*.txt')}


def requirements(name: str) -> dict[str, Requirement]:
    lines = [line for line in FILES[name].splitlines() if line and not line.startswith('#')]
    assert lines and all(re.search(r'\S  # \S', line) for line in lines), 'each has its reason'
    found = [Requirement(line.split('#')[0]) for line in lines]
    return {requirement.name.lower(): requirement for requirement in found}


def run(command: str, **variables: str) -> tuple[int, str]:
    done = subprocess.run(
        ['sh', '-c', f'exec 2>&1; {command}'],
        cwd=ROOT, env=os.environ | variables, stdout=subprocess.PIPE, text=True, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.parametrize('name', sorted(FILES))
def test_pins_are_exact_and_fit_the_other_requirements(name):
    pins = requirements('pins.txt')
    for package, requirement in requirements(name).items():
        if name == 'pins.txt' or name.startswith('mm'):
            assert re.fullmatch(r'==[\w.]+', str(requirement.specifier))
        else:
            assert str(pins[package].specifier)[2:] in requirement.specifier
    assert {'opencv-python', 'torchvision'}.isdisjoint(requirements(name))


def test_setup_py_asks_for_runtime_requirements_alone():
    status, printed = run(f'{sys.executable} setup.py --version --requires')
