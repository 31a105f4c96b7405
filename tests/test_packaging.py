"""setup.py, the Makefile's deletions, and the script of continuous integration."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import rexdense
from tests.pages import CONFIGS, PAGES, name_of

ROOT = Path(__file__).resolve().parent.parent
# setuptools provides distutils for Python 3.12 and later.
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
    assert 'py.typed' in json.loads(done.stdout.splitlines()[-1])['rexdense']


@pytest.fixture(scope='module')
def installed(tmp_path_factory) -> Path:
    """A folder with the installed wheel of a source distribution, made without network."""
    folder = tmp_path_factory.mktemp('wheel')
    source, target = folder / 'source', folder / 'installed'
    left_out = ('.git', '.venv*', '.*_cache', '__pycache__', '*.egg-info', 'build', 'dist')
    ignore = shutil.ignore_patterns(*left_out, 'data', 'shared', 'work_dirs')
    shutil.copytree(ROOT, source, symlinks=True, ignore=ignore)
    for build in ('sdist', 'wheel'):
        hook = f'from setuptools import build_meta as hooks; hooks.build_{build}({str(folder)!r})'
        subprocess.run([sys.executable, '-c', hook], cwd=source, check=True, capture_output=True)
        if build == 'sdist':
            (archive,) = folder.glob('rexdense-*.tar.gz')
            shutil.unpack_archive(archive, folder / 'unpacked')
            (source,) = (folder / 'unpacked').iterdir()
    (wheel,) = folder.glob('rexdense-*.whl')
    pip = ['pip', 'install', '--no-deps', '--no-index', '--no-compile', '--target', target, wheel]
    subprocess.run([sys.executable, '-m', *pip], check=True, capture_output=True)
    return target


@pytest.mark.slow
def test_the_installed_wheel_works_without_a_checkout(installed, tmp_path):
    """Programs, and configs by name with their _base_ files, run from an empty folder."""

    def rexdense(*arguments: str) -> list[str]:
        environment = os.environ | {'PYTHONPATH': str(installed), 'PYTHONDONTWRITEBYTECODE': '1'}
        command = [sys.executable, installed / 'bin/rexdense', *arguments]
        if arguments[0] == '-c':
            command = [sys.executable, *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert rexdense('--help')[0].startswith('usage: rexdense')
    here = [str(path.relative_to(ROOT)) for path in CONFIGS]
    place = installed / 'rexdense/.mim'
    paths = [Path(line).relative_to(place.resolve()) for line in rexdense('configs', '--paths')]
    assert sorted(map(str, paths)) == sorted(here)
    for path in (ROOT / 'configs/_base_').rglob('*.py'):
        assert (place / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
    for path in (ROOT / 'requirements').glob('*.txt'):
        assert (place / path.relative_to(ROOT)).read_bytes() == path.read_bytes()
    assert (place / 'model-index.yml').read_bytes() == (ROOT / 'model-index.yml').read_bytes()
    advice = """from rexdense.dependencies import missing_dependency
print(missing_dependency(ModuleNotFoundError('no mmdet', name='mmdet')))"""
    (said,) = rexdense('-c', advice)
    named = re.findall(r'-r ([^\s,]+)', said)
    assert len(named) == 3 and all(Path(path).is_file() for path in named)
    assert 'make setup' not in said
    rexdense('shapes', 'drawn', '--train', '2', '--val', '1')
    assert (tmp_path / 'drawn/annotations/train.json').is_file()
    pytest.importorskip('mmdet')
    # The first line ensures that no other rexdense is imported, such as a checkout.
    program = """import rexdense; from pathlib import Path
assert Path(rexdense.__file__).is_relative_to({place!r}), rexdense.__file__
from rexdense.engine.config.load import load_config
Path('mine.py').write_text("_base_ = 'rexdense::rexnet/{name}.py'")
print([load_config(given).model.backbone.arch for given in ('{name}', 'mine.py')])"""
    name = 'faster-rcnn_rexnet-1.0_fpn_custom_coco'
    assert rexdense('-c', program.format(place=str(installed), name=name))[-1] == (
        "['rexnet_1.0', 'rexnet_1.0']"
    )


def test_hooks_before_a_commit_take_the_project_as_it_is():
    (repository,) = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text())['repos']
    for hook in repository['hooks']:
        command = [sys.executable, *hook['entry'].split()[1:], 'setup.py']
        assert run(*command).returncode == 0, hook['id']


def test_files_of_the_repository_say_the_same_as_the_package():
    """They have the same version and licence, and the workflow, the images and the issue forms use
    the package's commands."""
    cited = yaml.safe_load((ROOT / 'CITATION.cff').read_text(encoding='utf-8'))
    assert (cited['version'], cited['license']) == (rexdense.__version__, 'MIT')
    forms = [*ROOT.glob('.github/**/*.yml')]
    assert len(forms) == 4 and all(yaml.safe_load(form.read_text()) for form in forms)
    steps = (ROOT / '.github/workflows/tests.yml').read_text()
    assert '- run: .ci/run\n' in steps and (ROOT / '.ci/run').is_file()
    for name in ('image', 'image-cuda'):
        done = run('make', '--no-print-directory', '-n', name, 'CONTAINER=builder', 'ARGS=--more')
        words = done.stdout.split()
        assert words[0] == 'builder' and words[-2:] == ['--more', '.']
        text = (ROOT / words[words.index('-f') + 1]).read_text()
        assert 'make setup PYTHON=python3 VENV=/opt/rexdense TORCH="$TORCH"' in text
    assert 'COPY --from=build /opt/rexdense /opt/rexdense' in text


def test_licences_are_listed():
    done = run(sys.executable, 'requirements/list_licences.py')
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in done.stdout.splitlines()}
    assert rows['numpy'][1].startswith('BSD') and rows['pytest'] == [pytest.__version__, 'MIT']
    # numpy, pillow and the tests' packages are all installed; missing packages have no row.
    assert {'pillow', 'pluggy', 'ruff'} <= set(rows) and 'not' not in rows


def test_the_site_lists_every_page():
    listed = (ROOT / 'mkdocs.yml').read_text(encoding='utf-8').partition('nav:')[2]
    missing = [name for name in map(name_of, PAGES) if f' {name}\n' not in listed]
    assert not missing, f'mkdocs.yml lists {missing} not'
