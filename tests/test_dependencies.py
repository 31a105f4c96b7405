"""Messages about missing packages, and features that work without them."""

import subprocess
import sys
from pathlib import Path

import pytest

from rexdense.dependencies import missing_dependency, needed_packages
from rexdense.errors import MissingDependency

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ('train', 'test', 'predict', 'demo', 'convert', 'export', 'zoo')
HEAVY = ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmseg', 'cv2', 'matplotlib')


def program_without(packages, code: str) -> str:
    """Return a program in which imports of these modules fail as if they were missing."""
    return f"""
import sys

class Absent:
    names = {set(packages)!r}

    def find_spec(self, name, path=None, target=None):
        if name in self.names:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)

sys.meta_path.insert(0, Absent())
sys.path.insert(0, {str(ROOT)!r})
{code}
"""


def without(packages, code: str) -> subprocess.CompletedProcess:
    """Run code in such a program."""
    program = program_without(packages, code)
    return subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, cwd=ROOT)


def run_program(name: str, *arguments: str) -> str:
    return (
        'import runpy\n'
        f'sys.argv = {[f"tools/{name}.py", *arguments]!r}\n'
        f"runpy.run_path('tools/{name}.py', run_name='__main__')"
    )


OF_MMENGINE = ('train', 'test', 'predict', 'demo', 'depth_baseline', 'analyze')


@pytest.mark.parametrize(
    ('program', 'package'),
    [
        *((program, 'torch') for program in (*OF_MMENGINE, 'convert', 'export', 'zoo')),
        *((program, 'mmengine') for program in OF_MMENGINE),
    ],
)
def test_programs_name_the_missing_package(program, package):
    done = without([package], run_program(program))
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f'rexdense {program.replace("_", "-")}: error: ')
    assert f'the package {package} is not installed: ' in done.stderr
    assert 'pip install' in done.stderr and done.stderr.count('\n') == 1


def test_depth_data_and_figures_need_neither_mmdet_nor_mmseg():
    pytest.importorskip('mmcv')
    done = without(
        [],
        "sys.modules['mmdet'] = sys.modules['mmseg'] = None\n"
        'from rexdense.registry import DATASETS, METRICS, MODELS, TRANSFORMS\n'
        "DATASETS.build(dict(type='rexdense.DepthDataset', lazy_init=True))\n"
        "TRANSFORMS.build(dict(type='rexdense.LoadDepth'))\n"
        "METRICS.build(dict(type='rexdense.DepthMetric'))\n"
        "MODELS.build(dict(type='rexdense.DepthGradientLoss'))\n"
        "print(DATASETS.get('rexdense.CocoDataset'))\n",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == 'None'


def test_drawing_shapes_needs_no_torch(tmp_path):
    done = without(
        HEAVY,
        run_program('make_shapes', str(tmp_path / 's'), '--train=1', '--val=1', '--size=32x32'),
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 's/annotations/train.json').is_file()


def test_rexdense_itself_needs_no_torch():
    done = without(
        HEAVY,
        'import rexdense\n'
        'print(len(rexdense.list_backbones()) > 10)\n'
        'try:\n    rexdense.create_backbone\n'
        'except rexdense.RexdenseError as error:\n    print(error)\n',
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == 'True'
    assert second.startswith('rexdense.create_backbone: the package ')
    assert second.split()[3] in HEAVY and 'pip install' in second


def test_mmcv_without_operators():
    pytest.importorskip('mmcv')
    done = without(
        ['mmcv._ext'],
        'from rexdense.cli.parser import run_command\n'
        'def main(arguments):\n    import mmcv.ops\n'
        "run_command(main, [], 'rexdense x')\n",
    )
    assert done.returncode == 2, done.stderr
    assert 'mmcv 2.' in done.stderr and ' has no compiled operators that work here' in done.stderr
    assert "(No module named 'mmcv._ext'): run pip uninstall onedl-mmcv mmcv" in done.stderr
    assert 'MMCV_WITH_OPS=1 pip install' in done.stderr
    assert done.stderr.count('\n') == 1


@pytest.mark.parametrize(
    ('error', 'expected'),
    [
        (ModuleNotFoundError('x', name='cv2'), 'pip install opencv-python-headless'),
        (ModuleNotFoundError('x', name='pycocotools'), 'pip install pycocotools'),
        (ModuleNotFoundError('x', name='mmdet'), 'requirements/mminstall.txt'),
        (ImportError('undefined symbol', name='mmcv._ext'), '(undefined symbol): run pip uninst'),
        (ImportError('libGL.so.1: cannot open'), 'pip install opencv-python-headless'),
        (MissingDependency('as said'), 'as said'),
    ],
)
def test_import_errors_are_told_with_the_command_that_mends_them(error, expected):
    with pytest.raises(MissingDependency) as caught, needed_packages('this'):
        raise error
    assert str(caught.value).startswith('this: ') and expected in str(caught.value)


@pytest.mark.parametrize(
    'error',
    [
        ModuleNotFoundError('x', name='rexdense.no_such_module'),
        ModuleNotFoundError('x', name='mmdet.no_such_module'),
        ImportError('cannot import name', name='torch'),
    ],
)
def test_faults_of_the_code_are_left_alone(error):
    assert missing_dependency(error) is None
    with pytest.raises(type(error)) as caught, needed_packages():
        raise error
    assert caught.value is error
