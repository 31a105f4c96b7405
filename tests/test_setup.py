"""The set-up: its requirement files, and failures and interruptions of `make setup`."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import setup_environment

ROOT = Path(__file__).resolve().parent.parent
FILES = {path.name: path.read_text() for path in ROOT.glob('requirements/*.txt')}
OUTPUT = {'cwd': ROOT, 'stdout': subprocess.PIPE, 'stderr': subprocess.STDOUT, 'text': True}


def setup(environment: Path, *options: str) -> subprocess.Popen:
    return subprocess.Popen(['make', 'setup', f'VENV={environment}', *options], **OUTPUT)


def requirements(name: str) -> dict[str, Requirement]:
    lines = [line for line in FILES[name].splitlines() if line and not line.startswith('#')]
    assert lines and all(re.search(r'\S  # \S', line) for line in lines), 'each has its reason'
    found = [Requirement(line.split('#')[0]) for line in lines]
    return {requirement.name.lower(): requirement for requirement in found}


@pytest.mark.parametrize('name', sorted(FILES))
def test_pins_are_exact_and_fit_the_other_requirements(name):
    pins = requirements('pins.txt')
    for package, requirement in requirements(name).items():
        if name == 'pins.txt' or name.startswith('mm'):
            assert re.fullmatch(r'==[\w.]+', str(requirement.specifier)), requirement
        elif name == 'web.txt':
            assert package not in pins, 'make setup does not install what the page needs'
        else:
            assert str(pins[package].specifier)[2:] in requirement.specifier, requirement
        assert package not in ('opencv-python', 'torchvision')


@pytest.mark.parametrize(
    ('options', 'told'),
    [
        (['CXX=no-c++'], 'step 2 of 10: Trying the C.*sudo apt install g'),
        pytest.param(['PIP_INDEX_URL=http://127.1:9', 'PIP_CONFIG_FILE=/dev/null', 'PIP_RETRIES=0'],
                     'step 4 of 10: .*whether the package registry', marks=pytest.mark.slow),
        (['PYTHON=no-python'], 'There is no no-python.*make setup PYTHON='),
        (['PYTHON={}/python3.9'], 'this is 3.9. Name another: make setup PYTHON='),
        (['STACK=orginal'], 'STACK=orginal is not known; choose one of: default original'),
        (['VENV=tests'], 'tests was not made by make setup.*choose another folder'),
    ],
)  # fmt: skip
def test_faults_that_stop_the_setup_are_told(tmp_path, options, told):
    old = tmp_path / 'python3.9'
    old.write_text('#!/bin/sh\nexec python3 -c "import sys; sys.version_info = (3, 9, 1); $2"\n')
    old.chmod(0o755)
    process = setup(tmp_path / 'new', *(option.format(tmp_path) for option in options))
    assert re.search(told, process.communicate(timeout=120)[0], re.DOTALL)
    assert process.returncode == 2


@pytest.mark.parametrize(
    ('printed', 'told'),
    [
        ('OSError: [Errno 28] No space left on device', 'VENV='),
        ('c++: fatal error: Killed signal terminated program cc1plus', 'MAX_JOBS=1'),
        ('/usr/bin/python3: No module named venv', 'apt install python3-venv'),
    ],
)
def test_advice(printed, told):
    assert told in setup_environment.advice(f'first line\n{printed}\nlast line')


def test_interrupted_it_ends_what_it_started_and_can_be_run_again(tmp_path):
    slow, started, environment = (tmp_path / name for name in ('slow', 'started', 'new'))
    slow.write_text(f'#!/bin/sh\ntouch {started}\nsleep 100\n')
    process = setup(environment, f'CXX=sh {slow}')
    while not started.exists():
        time.sleep(0.1)
    process.terminate()
    printed = process.communicate(timeout=30)[0]  # ends when no process holds the output any more
    assert 'Set-up interrupted in step 2' in printed
    assert sorted(os.listdir(environment)) == ['rexdense-setup.json', 'setup.log']
    assert 'Set-up failed in step 2' in setup(environment, 'CXX=no-c++').communicate()[0]


def test_finished_it_is_built_anew_for_another_torch_alone(tmp_path):
    program = """import setup_environment, sys
setup_environment.STEPS = {'Only': 'cd "$VIRTUAL_ENV"; mkdir -p bin; touch bin/python; echo ok'}
setup_environment.main('default', *sys.argv[1:], '')"""
    variables, built = os.environ | {'PYTHONPATH': setup_environment.FOLDER}, []
    for torch in ('', '', 'torch==2.12', 'torch==2.12', '', 'torch==2.13'):
        command = [sys.executable, '-c', program, str(tmp_path / 'new'), torch]
        done = subprocess.run(command, env=variables, **OUTPUT)
        built.append('Set-up finished' in done.stdout)
    assert built == [True, False, True, False, False, True]
