"""setup.py, the Makefile's deletions, and the script of continuous integration."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import rexdense

ROOT = Path(__file__).resolve().parent.parent
# setuptools brings the distutils of Python 3.12 and later.
SETUP = """import json, setuptools, sys
from distutils.core import run_setup
made = run_setup('setup.py', stop_after='init')
loaded = sorted({'torch', 'numpy', 'mmengine', 'mmcv', 'rexdense'} & set(sys.modules))
print(json.dumps([made.get_version(), made.install_requires, made.packages, loaded]))"""


def run(*command: str | Path) -> subprocess.CompletedProcess:
    environment = os.environ | {'MAKEFLAGS': ''}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_setup_py_asks_for_two_packages_and_imports_nothing_heavy():
    done = run(sys.executable, '-c', SETUP)
    version, asked, packages, loaded = json.loads(done.stdout.splitlines()[-1])
    assert version == rexdense.__version__
    assert asked == ['numpy>=1.24', 'pillow>=9.4']
    assert loaded == []
    here = {'.'.join(path.parent.relative_to(ROOT).parts) for path in ROOT.glob('rexdense/**/*.py')}
    assert set(packages) == here


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
    done = run(tmp_path / '.ci/run')
    assert done.stdout.splitlines()[-1].startswith(last)
    assert done.returncode == expected


def test_clean_environment_leaves_a_foreign_folder_alone(tmp_path):
    (tmp_path / 'mine.txt').write_text('kept')
    done = run('make', 'clean-environment', f'VENV={tmp_path}')
    assert done.returncode == 2
    assert 'was not made by make setup' in done.stdout
    assert (tmp_path / 'mine.txt').read_text() == 'kept'


def test_the_marker_of_types_is_installed():
    assert (ROOT / 'rexdense/py.typed').is_file()
    program = SETUP.rpartition('\n')[0] + '\nprint(json.dumps(made.package_data))'
    done = run(sys.executable, '-c', program)
    assert json.loads(done.stdout.splitlines()[-1])['rexdense'] == ['py.typed']


def test_hooks_before_a_commit_take_the_project_as_it_is():
    (repository,) = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text())['repos']
    for hook in repository['hooks']:
        command = [sys.executable, *hook['entry'].split()[1:], 'setup.py']
        assert run(*command).returncode == 0, hook['id']
