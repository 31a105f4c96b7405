"""Builds the virtual environment step by step, once, and proves at the end that it works."""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from machine_checks import SetupFailure, base_interpreter, check_machine, compile_jobs
from step_runner import StepFailure, StepRunner

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / 'requirements'
LINES = {'default': 'mminstall.txt', 'original': 'mminstall-original.txt'}
RECORD = 'rexdense-setup.json'
LOGS = 'setup-logs'
# They would make pip or Python work on another folder than the environment.
MISLEADING_VARIABLES = {'PYTHONPATH', 'PYTHONHOME', 'PIP_TARGET', 'PIP_PREFIX', 'PIP_ROOT'}


def requirement_lines(path: Path) -> list[str]:
    """The requirements of a file, without comments and blank lines."""
    lines = (line.split('#')[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


def wanted_record(stack: str) -> dict:
    """What a finished environment of `stack` must have been built from; the place is part of it,
    because rexdense is installed into it as a link to this folder."""
    text = '\n'.join(
        line
        for name in ('pins.txt', 'build.txt', LINES[stack])
        for line in requirement_lines(REQUIREMENTS / name)
    )
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {'stack': stack, 'requirements': digest, 'project': str(ROOT), 'finished': True}


def is_current(environment: Path, wanted: dict) -> bool:
    """Whether `environment` was finished from exactly what is `wanted`."""
    try:
        record = json.loads((environment / RECORD).read_text())
    except (OSError, ValueError):
        return False
    return (environment / 'bin/python').exists() and wanted.items() <= record.items()


class EnvironmentBuilder:
    """The steps that lead to one environment.

    Attributes:
        environment: folder of the virtual environment.
        record: what is written to `rexdense-setup.json` when the last step has succeeded.
        torch: requirement that torch is installed from, pinned unless the user chose another.
    """

    def __init__(self, environment: Path, record: dict, torch: str | None):
        self.environment = environment
        self.python = environment / 'bin/python'
        self.record = record
        self.mm_packages = requirement_lines(REQUIREMENTS / LINES[record['stack']])
        pins = requirement_lines(REQUIREMENTS / 'pins.txt')
        self.pins = [pin for pin in pins if not pin.startswith('torch==')]
        self.torch = torch or next(pin for pin in pins if pin.startswith('torch=='))
        self.runner = StepRunner(environment / LOGS, self._variables())

    def _variables(self) -> dict[str, str]:
        variables = {
            name: value for name, value in os.environ.items() if name not in MISLEADING_VARIABLES
        }
        variables['PATH'] = f'{self.environment / "bin"}{os.pathsep}{os.environ.get("PATH", "")}'
        variables['VIRTUAL_ENV'] = str(self.environment)
        variables['PIP_USER'] = '0'
        variables['PIP_DISABLE_PIP_VERSION_CHECK'] = '1'
        variables['PYTHONNOUSERSITE'] = '1'
        variables['MMCV_WITH_OPS'] = '1'
        variables['MAX_JOBS'] = str(compile_jobs())
        return variables

    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        """Title and action of each step, in order."""
        return [
            ('Checking this machine', lambda: check_machine(self.environment)),
            ('Creating the environment', self.create),
            ('Installing pip and the build tools', self.install_build_tools),
            (f'Installing {self.torch}', self.install_torch),
            ('Installing the pinned packages', self.install_pins),
            ('Installing the OpenMMLab packages', self.install_mm_packages),
            ("Compiling mmcv's operators", self.install_mmcv),
            ('Linking rexdense into the environment', self.install_project),
            ('Checking the environment', self.check),
        ]

    def build(self) -> None:
        """Run every step; the record that makes the environment count as done is written last."""
        steps = self.steps()
        for number, (title, action) in enumerate(steps, start=1):
            with self.runner.step(number, len(steps), title):
                action()
        aside = self.environment / f'{RECORD}.new'
        aside.write_text(json.dumps(self.record, indent=1) + '\n')
        aside.replace(self.environment / RECORD)

    def create(self) -> None:
        clear(self.environment)
        self.runner.run([str(base_interpreter()), '-m', 'venv', str(self.environment)])

    def pip(self, *arguments: str, **variables: str) -> str:
        """Run `pip install` in the environment and return what it printed."""
        command = [str(self.python), '-m', 'pip', 'install', *arguments]
        return self.runner.run(command, **variables)

    def install_build_tools(self) -> None:
        with self.constraints() as pins:
            self.pip('--upgrade', 'pip', '--constraint', pins)
            self.pip('--requirement', str(REQUIREMENTS / 'build.txt'), '--constraint', pins)

    def install_torch(self) -> None:
        # With its dependencies: torch's CUDA builds bring packages that a CPU build does not.
        with self.constraints() as pins:
            self.pip(self.torch, '--constraint', pins)

    def install_pins(self) -> None:
        with self.constraints() as pins:
            self.pip('--requirement', pins)

    def install_mm_packages(self) -> None:
        others = [package for package in self.mm_packages if not is_mmcv(package)]
        self.pip('--no-deps', '--no-build-isolation', *others)

    def install_mmcv(self) -> None:
        jobs = self.runner.variables['MAX_JOBS']
        self.runner.say(f'10 to 15 minutes on 2 cores ({jobs} files at once);')
        self.runner.say('seconds where pip has built it before')
        arguments = ['--verbose', '--no-deps', '--no-build-isolation']
        arguments += [package for package in self.mm_packages if is_mmcv(package)]
        printed = self.pip(*arguments)
        if 'Building wheel for' in printed or self.mmcv_fits_torch():
            return
        # pip files a wheel it built under the Python version alone, so the one just taken may have
        # been compiled for another torch. Compile anew, kept under torch's version.
        self.runner.say('the wheel that pip kept is for another torch; compiling anew')
        cache = self.runner.run([str(self.python), '-m', 'pip', 'cache', 'dir']).split()[-1]
        version = self.runner.run(
            [str(self.python), '-c', 'import torch; print(torch.__version__)']
        ).split()[-1]
        self.pip('--force-reinstall', *arguments, PIP_CACHE_DIR=f'{cache}/rexdense-torch-{version}')

    def mmcv_fits_torch(self) -> bool:
        check = [str(self.python), str(REQUIREMENTS / 'check_environment.py'), '--operators-only']
        try:
            self.runner.run(check)
        except SetupFailure:
            return False
        return True

    def install_project(self) -> None:
        self.pip('--no-deps', '--no-build-isolation', '--editable', str(ROOT))

    def check(self) -> None:
        script = REQUIREMENTS / 'check_environment.py'
        printed = self.runner.run([str(self.python), str(script), '--stack', self.record['stack']])
        self.runner.say(printed.rstrip())

    @contextlib.contextmanager
    def constraints(self):
        """A file of the pins, without torch's where the user chose another torch."""
        with tempfile.NamedTemporaryFile('w', suffix='.txt', prefix='pins-') as file:
            file.write('\n'.join(self.pins) + '\n')
            file.flush()
            yield file.name


def is_mmcv(requirement: str) -> bool:
    return requirement.split('==')[0] in {'mmcv', 'onedl-mmcv'}


def clear(environment: Path) -> None:
    """Empty a folder that an earlier set-up made; create it where there is none.

    Raises:
        SetupFailure: the folder holds something that no set-up of this project made.
    """
    if environment.exists() and any(environment.iterdir()) and not (environment / RECORD).exists():
        raise SetupFailure(
            f'{environment} exists and was not made by this set-up, so it is left alone.',
            'Move it away or delete it, or choose another folder: make setup VENV=/other/folder',
        )
    environment.mkdir(parents=True, exist_ok=True)
    # Written first: from here on the folder is known as this set-up's own, and as unfinished.
    (environment / RECORD).write_text(json.dumps({'finished': False}) + '\n')
    for entry in environment.iterdir():
        if entry.name == RECORD:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


@contextlib.contextmanager
def only_one_setup():
    """Hold a lock on the project's folder, waiting for a set-up that is already running."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print('Another set-up is running in this folder; waiting for it.', flush=True)
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def build(environment: Path, record: dict, torch: str | None) -> int:
    """Build the environment and report the failure of a step in plain words; the exit status."""
    builder = EnvironmentBuilder(environment, {**record, 'python': str(base_interpreter())}, torch)
    builder.record['torch'] = builder.torch
    runner = builder.runner
    version = '.'.join(map(str, sys.version_info[:3]))
    print(f'Setting up {environment} ({record["stack"]} OpenMMLab line, Python {version}), once.')
    if (environment / RECORD).exists():
        print('What is there is unfinished, or of other requirements: it is built anew.')
    print(f'Logs: {runner.logs}', flush=True)
    signal.signal(signal.SIGTERM, interrupt)
    begun = time.monotonic()
    try:
        builder.build()
    except (SetupFailure, OSError) as failure:
        if isinstance(failure, StepFailure):
            runner.say('\n'.join(failure.last_lines), indent='  | ')
        print(f'\nSet-up failed in step {runner.number} of {runner.total}: {runner.title}')
        why = getattr(failure, 'why', failure)
        advice = getattr(failure, 'advice', 'Make the place writable, or name another with VENV=.')
        print(f'Why: {why}\nWhat to do: {advice}')
        if isinstance(failure, StepFailure):
            print(f'Whole log: {failure.log}')
        print('Nothing else has to be cleaned up: the same command starts again.', flush=True)
        return 1
    except KeyboardInterrupt:
        print(f'\nSet-up interrupted in step {runner.number} of {runner.total}: {runner.title}')
        print('The same command starts again.', flush=True)
        return 130
    minutes, seconds = divmod(int(time.monotonic() - begun), 60)
    print(f'Set-up finished in {minutes} min {seconds:02d} s.', flush=True)
    return 0


def main() -> int:
    """Build the environment unless it is there; the exit status."""
    parser = argparse.ArgumentParser(description='Build the virtual environment of rexdense.')
    parser.add_argument('--stack', choices=LINES, default='default', help='OpenMMLab line')
    parser.add_argument('--environment', type=Path, required=True, help='folder to build it in')
    parser.add_argument('--this-python', action='store_true', help='rebuild for another Python')
    parser.add_argument('--torch', help="requirement to install torch from, 'torch==2.13.0+cu130'")
    options = parser.parse_args()
    if sys.prefix != sys.base_prefix:
        # An activated environment may be the very one that is to be cleared.
        os.execv(base_interpreter(), [str(base_interpreter()), *sys.argv])

    environment = Path(os.path.abspath(ROOT / options.environment))
    wanted = wanted_record(options.stack)
    # Left out, Python and torch stay what the environment was built with.
    if options.this_python:
        wanted['python'] = str(base_interpreter())
    if options.torch:
        wanted['torch'] = options.torch
    if is_current(environment, wanted):
        return 0
    with only_one_setup():
        if is_current(environment, wanted):
            return 0
        return build(environment, wanted, options.torch)
