"""The set-up: requirement files, setup.py, the checks of an environment, and what failures say."""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import check_environment
import environment_builder
import rexdense
from failure_advice import explain
from machine_checks import SetupFailure
from step_runner import StepFailure, StepRunner

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / 'requirements'
REQUIREMENT_FILES = sorted(path.name for path in REQUIREMENTS.glob('*.txt'))
MM_FILES = ('mminstall.txt', 'mminstall-original.txt')
INSTALLED = check_environment.installed()
STACK = 'original' if 'mmcv' in INSTALLED else 'default'


def requirement_lines(name: str) -> list[str]:
    lines = (REQUIREMENTS / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


def requirements(name: str) -> list[Requirement]:
    return [Requirement(line.split('#')[0].strip()) for line in requirement_lines(name)]


def run(*command: str | Path, **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize('name', REQUIREMENT_FILES)
def test_every_requirement_has_a_reason(name):
    lines = requirement_lines(name)
    assert lines
    assert [line for line in lines if not re.search(r'  # \S', line)] == []


@pytest.mark.parametrize('name', ['pins.txt', *MM_FILES])
def test_pins_are_exact_and_named_once(name):
    pins = requirements(name)
    assert [str(pin) for pin in pins if not re.fullmatch(r'==[\w.]+', str(pin.specifier))] == []
    names = [canonicalize_name(pin.name) for pin in pins]
    assert len(names) == len(set(names))


@pytest.mark.parametrize('name', sorted(set(REQUIREMENT_FILES) - {'pins.txt', *MM_FILES}))
def test_pins_satisfy_the_other_requirement_files(name):
    pins = {canonicalize_name(pin.name): pin.specifier for pin in requirements('pins.txt')}
    for requirement in requirements(name):
        pinned = str(pins[canonicalize_name(requirement.name)]).removeprefix('==')
        assert requirement.specifier.contains(pinned), requirement


def test_pins_hold_one_opencv_and_no_torchvision():
    names = {pin.name for name in ('pins.txt', *MM_FILES) for pin in requirements(name)}
    assert names & set(check_environment.OPENCV) == {'opencv-python-headless'}
    assert 'torchvision' not in names


def test_setup_py_asks_for_runtime_requirements_and_imports_nothing_heavy():
    script = (
        'import json, sys\n'
        'from distutils.core import run_setup\n'
        'made = run_setup("setup.py", stop_after="init")\n'
        'loaded = sorted({"torch", "numpy", "mmengine", "mmcv", "rexdense"} & set(sys.modules))\n'
        'print(json.dumps([made.get_version(), made.install_requires, made.packages, loaded]))'
    )
    # setuptools brings the distutils of Python 3.12 and later.
    done = run(sys.executable, '-c', 'import setuptools\n' + script)
    version, asked, packages, loaded = json.loads(done.stdout.splitlines()[-1])
    assert version == rexdense.__version__
    assert asked == [str(requirement) for requirement in requirements('runtime.txt')]
    assert not {Requirement(line).name for line in asked} & {'torch', 'opencv-python'}
    assert not any('mm' in Requirement(line).name for line in asked)
    assert loaded == []
    here = {'.'.join(path.parent.relative_to(ROOT).parts) for path in ROOT.glob('rexdense/**/*.py')}
    assert set(packages) == here


def test_this_environment_has_one_opencv_and_one_line():
    assert check_environment.opencv_faults(INSTALLED) == []
    assert check_environment.line_faults(INSTALLED, STACK) == []


@pytest.mark.parametrize(
    'found', [[], ['opencv-python'], ['opencv-python-headless', 'opencv-python']], ids=str
)
def test_any_other_opencv_is_a_fault(found):
    faults = check_environment.opencv_faults(dict.fromkeys(found, '4.12.0'))
    assert len(faults) == 1
    assert all(name in faults[0] for name in found)


def test_mixed_lines_are_faults():
    versions = dict.fromkeys((*check_environment.LINES['default'], 'mmcv'), '1')
    assert check_environment.line_faults(versions, 'default') == [
        'mmcv of the original line is installed as well'
    ]
    assert len(check_environment.line_faults(versions, 'original')) == 7


def test_pin_faults():
    pins = ['numpy==2.2.6', 'scipy==1.15.3', 'onnx==1.23.2']
    versions = {'numpy': '2.2.6', 'scipy': '1.15.2'}
    assert check_environment.pin_faults(versions, pins) == [
        'scipy 1.15.3 is pinned, found: 1.15.2',
        'onnx 1.23.2 is pinned, found: none',
    ]


@pytest.mark.parametrize('version', [(2, 7), (3, 9), (3, 14)])
def test_wrong_python_is_told(version):
    script = (
        f'import sys, runpy; sys.version_info = {(*version, 0, "final", 0)}\n'
        "runpy.run_path('requirements/setup_environment.py', run_name='__main__')"
    )
    done = run(sys.executable, '-c', script)
    assert done.returncode == 1
    assert f'is Python {version[0]}.{version[1]}, but Python 3.10 to 3.13 is needed' in done.stderr
    assert 'make setup PYTHON=' in done.stderr
    assert 'Traceback' not in done.stderr


def test_entry_point_is_readable_by_old_interpreters():
    source = (REQUIREMENTS / 'setup_environment.py').read_text()
    nodes = list(ast.walk(ast.parse(source)))
    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Starred, ast.Match)
    assert [node.lineno for node in nodes if isinstance(node, newer)] == []
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    assert functions
    assert all(function.returns is None for function in functions)


@pytest.mark.parametrize('reason', ['compiler', 'linker'])
def test_missing_compiler_is_told_before_anything_is_made(tmp_path, reason):
    programs = tmp_path / 'programs'
    programs.mkdir()
    if reason == 'linker':
        (programs / 'c++').symlink_to(shutil.which('true'))
    environment = tmp_path / 'environment'
    done = run(
        sys.executable,
        REQUIREMENTS / 'setup_environment.py',
        '--environment',
        environment,
        PATH=str(programs),
        CXX='c++',
    )
    assert done.returncode == 1
    assert 'Set-up failed in step 1 of 9' in done.stdout
    assert 'Why: There is no C++ compiler:' in done.stdout
    assert 'apt install g++' in done.stdout
    assert 'Traceback' not in done.stderr
    assert not environment.exists()


def test_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / 'mine.txt').write_text('kept')
    with pytest.raises(SetupFailure, match='was not made by this set-up'):
        environment_builder.clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['mine.txt']


def test_own_folder_is_cleared_and_counts_as_unfinished(tmp_path):
    environment = tmp_path / 'environment'
    environment_builder.clear(environment)
    (environment / 'bin').mkdir()
    (environment / 'bin/python').touch()
    wanted = environment_builder.wanted_record('default')
    assert not environment_builder.is_current(environment, wanted)

    record = environment / environment_builder.RECORD
    record.write_text(json.dumps(wanted | {'python': '/usr/bin/python3.11'}))
    assert environment_builder.is_current(environment, wanted)
    assert not environment_builder.is_current(environment, wanted | {'python': '/other'})
    other = environment_builder.wanted_record('original')
    assert not environment_builder.is_current(environment, other)

    environment_builder.clear(environment)
    assert [path.name for path in environment.iterdir()] == [environment_builder.RECORD]
    assert not environment_builder.is_current(environment, wanted)


def test_requirements_are_compared_without_their_comments(tmp_path, monkeypatch):
    for name in REQUIREMENT_FILES:
        shutil.copy(REQUIREMENTS / name, tmp_path)
    monkeypatch.setattr(environment_builder, 'REQUIREMENTS', tmp_path)
    before = environment_builder.wanted_record('default')
    pins = tmp_path / 'pins.txt'
    pins.write_text('# another comment\n' + pins.read_text())
    assert environment_builder.wanted_record('default') == before
    pins.write_text(pins.read_text().replace('ninja==', 'ninja==9.'))
    assert environment_builder.wanted_record('default') != before


@pytest.mark.parametrize(
    ('printed', 'why'),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device: '/x'", 'disk is full'),
        ('g++: fatal error: Killed signal terminated program cc1plus', 'out of memory'),
        (
            "Retrying after connection broken by 'NewConnectionError(...)'\n"
            'ERROR: No matching distribution found for torch==2.13.0',
            'registry cannot be reached',
        ),
        (
            'ERROR: No matching distribution found for torch==2.13.0',
            'no version of torch==2.13.0 that fits',
        ),
        ('OSError: CUDA_HOME environment variable is not set.', 'no CUDA compiler'),
        ('a/Python.hpp:1:10: fatal error: Python.h: No such file or directory', 'C headers'),
        (
            'csrc/nms.cpp:3:4: error: expected ;\nninja: build stopped',
            'nms.cpp:3:4: error: expected',
        ),
        ('fault: import cv2: ImportError: libGL.so.1', 'does not work: import cv2'),
        ('anything else', 'ended with an error'),
    ],
)
def test_logs_are_explained(printed, why):
    explained, advice = explain(printed)
    assert why in explained
    assert advice


def test_failed_command_keeps_its_log(tmp_path):
    runner = StepRunner(tmp_path / 'logs', dict(os.environ))
    with pytest.raises(StepFailure) as caught:
        runner.run(['sh', '-c', 'echo first; echo No space left on device; exit 3'])
    assert caught.value.why == 'The disk is full.'
    assert caught.value.last_lines == ['first', 'No space left on device']
    assert 'No space left on device' in caught.value.log.read_text()


def test_interrupted_command_leaves_no_process_and_no_temporary_file(tmp_path):
    script = (
        'import pathlib, subprocess, sys, tempfile\n'
        'with tempfile.TemporaryDirectory(dir=sys.argv[1]) as folder:\n'
        "    child = subprocess.Popen(['sleep', '50'])\n"
        "    pathlib.Path(folder, 'child').write_text(str(child.pid))\n"
        "    pathlib.Path(folder, 'child').rename(sys.argv[2])\n"
        '    child.wait()\n'
    )
    temporary, child = tmp_path / 'temporary', tmp_path / 'child'
    temporary.mkdir()
    runner = StepRunner(tmp_path / 'logs', dict(os.environ))

    def interrupt_once_started(*_):
        if child.exists():
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt_once_started)
    signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            runner.run([sys.executable, '-c', script, str(temporary), str(child)])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert list(temporary.iterdir()) == []
    status = Path('/proc', child.read_text(), 'stat')
    assert not status.exists() or status.read_text().split()[2] == 'Z'


def test_unreachable_registry_is_told(tmp_path):
    runner = StepRunner(tmp_path / 'logs', dict(os.environ))
    # Port 9 of this machine, where nothing listens.
    options = ['--isolated', '--retries', '1', '--index-url', 'http://127.0.0.1:9/simple']
    with pytest.raises(StepFailure, match='registry cannot be reached'):
        runner.run([sys.executable, '-m', 'pip', 'download', '--no-deps', *options, 'torch==0.0.1'])


def test_unknown_stack_is_told():
    done = run('make', 'setup', 'STACK=orginal')
    assert done.returncode == 2
    assert 'STACK=orginal is not known; choose one of: default original' in done.stderr


def test_unknown_interpreter_is_told():
    done = run('make', 'setup', 'PYTHON=python9.9')
    assert done.returncode == 2
    assert 'There is no python9.9' in done.stdout


@pytest.mark.parametrize(
    ('printed', 'status', 'last', 'expected'),
    [
        ('===== 3 passed in 0.10s =====', 0, '===== 3 passed in 0.10s =====', 0),
        ('== 1 failed, 2 passed in 61.00s (0:01:01) ==', 1, '== 1 failed,', 2),
        ('Set-up failed in step 3 of 9', 1, 'The tests did not run.', 2),
        ('nothing', 0, 'The tests did not run.', 1),
    ],
)
def test_continuous_integration_ends_with_the_closing_line(
    tmp_path, printed, status, last, expected
):
    (tmp_path / '.ci').mkdir()
    shutil.copy(ROOT / '.ci/run', tmp_path / '.ci/run')
    makefile = f"test:\n\t@echo '{printed}'\n\t@echo done\n\t@exit {status}\n"
    (tmp_path / 'Makefile').write_text(makefile)
    done = run(tmp_path / '.ci/run', MAKEFLAGS='')
    assert done.stdout.splitlines()[-1].startswith(last)
    assert done.returncode == expected


def test_clean_environment_leaves_a_foreign_folder_alone(tmp_path):
    (tmp_path / 'mine.txt').write_text('kept')
    done = run('make', 'clean-environment', f'VENV={tmp_path}')
    assert done.returncode == 2
    assert 'was not made by make setup' in done.stdout
    assert (tmp_path / 'mine.txt').read_text() == 'kept'
