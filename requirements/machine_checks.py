"""What a machine must offer before an environment is built on it, checked in a second or two."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

GIGABYTE = 1024**3
# With torch's CPU build the environment takes 1.7 GB; its CUDA build brings 4.5 GB more, and
# whether that is what the registry offers shows only during the download.
NEEDED_FOR_ENVIRONMENT = 3 * GIGABYTE
NEEDED_FOR_TEMPORARY_FILES = 1 * GIGABYTE
MEMORY_PER_COMPILER = 1.5 * GIGABYTE


class SetupFailure(Exception):
    """A set-up step that failed: why, and what the user can do about it."""

    def __init__(self, why: str, advice: str):
        super().__init__(why)
        self.why = why
        self.advice = advice


def base_interpreter() -> Path:
    """The interpreter itself, also where this process runs inside a virtual environment."""
    return Path(os.path.realpath(getattr(sys, '_base_executable', None) or sys.executable))


def check_machine(environment: Path) -> None:
    """Check all that can be known before anything is downloaded.

    Raises:
        SetupFailure: venv, ensurepip, disk space, C++ compiler or Python's headers are missing.
    """
    check_venv_module()
    check_disk_space(environment)
    check_compiler()


def check_venv_module() -> None:
    if importlib.util.find_spec('venv') and importlib.util.find_spec('ensurepip'):
        return
    version = '.'.join(map(str, sys.version_info[:2]))
    raise SetupFailure(
        f'{base_interpreter()} cannot make virtual environments: its module venv or ensurepip is '
        'missing.',
        f'On Debian and Ubuntu: sudo apt install python{version}-venv',
    )


def check_disk_space(environment: Path) -> None:
    temporary = Path(tempfile.gettempdir())
    for folder, needed, how in (
        (environment, NEEDED_FOR_ENVIRONMENT, 'or put the environment elsewhere with VENV=/folder'),
        (temporary, NEEDED_FOR_TEMPORARY_FILES, 'or name a larger folder with TMPDIR=/folder'),
    ):
        free = free_space(folder)
        if free < needed:
            raise SetupFailure(
                f'Only {free / GIGABYTE:.1f} GB of disk are free for {folder}; '
                f'{needed / GIGABYTE:.0f} GB are needed.',
                f'Free some space, {how}',
            )


def free_space(folder: Path) -> int:
    """Free bytes where `folder` is or, not existing yet, would be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def check_compiler() -> None:
    """Compile two lines that include Python's headers, as mmcv's operators will."""
    compiler = os.environ.get('CXX', 'c++').split()
    linker = (sysconfig.get_config_var('LDSHARED') or 'c++').split()
    for program in (compiler[0], linker[0]):
        if shutil.which(program) is None:
            raise SetupFailure(
                f"There is no C++ compiler: '{program}' is not found, and mmcv's operators must be "
                'compiled.',
                'On Debian and Ubuntu: sudo apt install g++  (or name your own: CXX=/path/to/g++)',
            )
    headers = sysconfig.get_paths()['include']
    if not Path(headers, 'Python.h').exists():
        version = '.'.join(map(str, sys.version_info[:2]))
        raise SetupFailure(
            f"Python's C headers are missing: there is no {headers}/Python.h.",
            f'On Debian and Ubuntu: sudo apt install python{version}-dev',
        )
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, 'probe.cpp')
        source.write_text('#include <Python.h>\n#include <vector>\nstd::vector<int> numbers;\n')
        command = [*compiler, '-std=c++17', '-fPIC', '-I', headers, '-c', str(source)]
        done = subprocess.run(
            [*command, '-o', f'{folder}/probe.o'], capture_output=True, text=True, check=False
        )
    if done.returncode:
        first = (done.stderr or done.stdout).strip().splitlines()[:1]
        raise SetupFailure(
            f"The C++ compiler '{' '.join(compiler)}' does not compile C++17: "
            f'{first[0] if first else "no message"}',
            'Repair it (on Debian and Ubuntu: sudo apt install --reinstall g++), or name another: '
            'CXX=/path/to/g++',
        )


def compile_jobs() -> int:
    """Compilers to run at once: one a core, as far as the free memory goes; MAX_JOBS overrides."""
    chosen = os.environ.get('MAX_JOBS', '')
    if chosen.isdigit() and int(chosen) > 0:
        return int(chosen)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    return max(1, min(cores or 1, int(free_memory() / MEMORY_PER_COMPILER)))


def free_memory() -> float:
    """Bytes that new processes can use; unbounded where the system does not tell."""
    try:
        for line in Path('/proc/meminfo').read_text().splitlines():
            if line.startswith('MemAvailable:'):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return float('inf')
