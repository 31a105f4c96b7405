"""Build the environment of `make setup` once, step by step. Standard library only."""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
LINES = {'default': 'mminstall.txt', 'original': 'mminstall-original.txt'}
RECORD = 'rexdense-setup.json'  # tells a folder of this set-up from another's
# What misleads pip and Python to other folders goes; temporary files lie where the rest does.
PRELUDE = """exec < /dev/null 2>&1; unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_ROOT
export PATH="$VIRTUAL_ENV/bin:$PATH" PYTHONNOUSERSITE=1 PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1
export TMPDIR="$VIRTUAL_ENV/temporary"; export PIP_CONSTRAINT="$TMPDIR/pins.txt"
install() { python -m pip install "$@"; }
"""
STEPS = {  # shell commands, run in this folder
    'Emptying the folder': f'find "$VIRTUAL_ENV/" -mindepth 1 ! -name {RECORD} ! -name setup.log '
    '-delete && mkdir "$TMPDIR" && grep -v "^torch==" pins.txt > "$PIP_CONSTRAINT"',
    'Trying the C++ compiler': '${CXX:-c++} -std=c++17 -I "$HEADERS" -include Python.h '
    '-include vector -x c++ -c /dev/null -o "$TMPDIR/empty.o"',
    'Creating the environment': '"$BASE_PYTHON" -m venv "$VIRTUAL_ENV"',
    'Installing pip and the build tools': 'install --upgrade pip && install -r build.txt',
    'Installing torch': 'install "$TORCH"',
    'Installing the pinned packages': 'install -r "$PIP_CONSTRAINT"',
    "Compiling mmcv's operators, 3 to 5 minutes on 2 cores": 'sh install_mmcv.sh '
    '"$(grep -o "^[a-z-]*mmcv==[0-9.]*" "$LINE")"',
    'Installing the OpenMMLab packages': 'install --no-deps --no-build-isolation -r "$LINE"',
    'Linking rexdense into the environment': 'install --no-deps --no-build-isolation -e ..',
    'Checking the environment': 'install --no-index --no-deps -r "$PIP_CONSTRAINT" -r "$LINE" && '
    'python check_environment.py',
}
CAUSES = {  # the first pattern found in what the failed step printed chooses the advice
    'not made by make setup': 'Move it away, or choose another folder: make setup VENV=/folder',
    r'^\[Errno 11\]': 'Another set-up is building it: wait until it has ended.',
    'No space left|quota exceeded': 'Free some, or take another disk: make setup VENV=/folder',
    'Killed signal|out of memory|allocate mem|status 137': 'Memory is short: make setup MAX_JOBS=1',
    r'ensurepip|No module named \W?venv': 'Debian and Ubuntu: sudo apt install python3-venv',
    r"(?m)^\S*sh: .*not found$|cc1plus'|Python\.h: No": 'Debian and Ubuntu: sudo apt install g++ '
    'python3-dev. Another compiler: make setup CXX=/path/to/g++',
    'onnection|esolution|CERTIFICATE_VERIFY|HTTP error|No matching distribution': 'See whether the '
    'package registry is reached and has it: pip config list; PIP_INDEX_URL, HTTPS_PROXY, TORCH=',
    '': 'Read the lines above, or the log; then run the same command again.',
}


def run(command: str, log: Path) -> str:
    """Run a shell command; its output is logged and returned, or raised as ChildProcessError."""
    printed, pipe = '', {'stdout': subprocess.PIPE, 'text': True, 'errors': 'replace'}
    process = subprocess.Popen(PRELUDE + command, shell=True, start_new_session=True, **pipe)
    try:
        with log.open('a') as file:
            file.write(f'$ {command}\n')
            for text in process.stdout:
                printed += text
                file.write(text)
                if progress := re.match(r'\s*(\[\d*0/\d+\]) ', text):
                    print(f'      {progress[1]} files', flush=True)
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate()  # until pip, ninja and the compilers have closed their end
        raise
    if process.wait():
        raise ChildProcessError(f'{printed}ended with status {process.returncode}')
    return printed


def advice(printed: str) -> str:
    """Advice about a step that printed this."""
    return next(text for cause, text in CAUSES.items() if re.search(cause, printed))


def build(environment: Path, record: dict) -> int:
    """Run every step, or tell which failed and what to do about it; the exit status."""
    log, number, title = environment / 'setup.log', 0, ''
    try:
        if not (environment / RECORD).exists() and environment.is_dir() and os.listdir(environment):
            raise FileExistsError(f'{environment} was not made by make setup, so it is left alone')
        environment.mkdir(parents=True, exist_ok=True)
        fcntl.flock(os.open(environment, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
        (environment / RECORD).write_text('{}')
        if (free := shutil.disk_usage(environment).free / 1e9) < 3:
            raise OSError(f'No space left: 3 GB are needed, with CUDA 8; {free:.1f} are free')
        print(f'Setting up {environment} ({record["stack"]} OpenMMLab line), once. Log: {log}')
        log.write_text('')
        for number, (title, command) in enumerate(STEPS.items(), start=1):
            print(f'[{number}/{len(STEPS)}] {title}', flush=True)
            printed = run(command, log)
        (environment / RECORD).write_text(json.dumps(record, indent=1) + '\n')
        print(f'{printed.splitlines()[-1]}\nSet-up finished.', flush=True)
        return 0
    except OSError as failure:
        print('\n'.join(f'  | {line[:160]}' for line in str(failure).rstrip().split('\n')[-15:]))
        where = f'in step {number} of {len(STEPS)}: {title}. Log: {log}' if number else 'at once.'
        print(f'Set-up failed {where}\nWhat to do: {advice(str(failure))}')
        return 1
    except KeyboardInterrupt:
        print(f'\nSet-up interrupted in step {number}: {title}. The same command starts again.')
        return 130
    finally:
        if number:
            shutil.rmtree(environment / 'temporary', ignore_errors=True)


def main(stack: str, folder: str, torch: str, chosen_python: str) -> int:
    """Build the environment unless it is there; `torch` and `chosen_python` may be empty."""
    os.chdir(FOLDER)
    environment = Path(os.path.abspath(FOLDER.parent / folder))
    # Not an activated environment's own, which may be the one that is to be emptied.
    python = os.path.realpath(getattr(sys, '_base_executable', None) or sys.executable)
    text = '\n'.join(Path(name).read_text() for name in ('pins.txt', 'build.txt', LINES[stack]))
    lines = [line.split('#')[0].strip() for line in text.splitlines()]
    pinned = next(line for line in lines if line.startswith('torch=='))
    digest = hashlib.sha256('\n'.join(filter(None, lines)).encode()).hexdigest()
    wanted = {'stack': stack, 'requirements': digest, 'project': str(FOLDER.parent)}
    wanted |= {'python': python} if chosen_python else {}
    wanted |= {'torch': torch} if torch else {}
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((environment / RECORD).read_text())
        if found.items() >= wanted.items() and (environment / 'bin/python').exists():
            return 0
    os.environ |= {'VIRTUAL_ENV': str(environment), 'LINE': LINES[stack], 'TORCH': torch or pinned}
    os.environ |= {'BASE_PYTHON': python, 'HEADERS': sysconfig.get_path('include')}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return build(environment, {'python': python, 'torch': torch or pinned} | wanted)


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
