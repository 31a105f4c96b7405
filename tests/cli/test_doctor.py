"""rexdense doctor: what it finds, and the commands that mend faults."""

import json
import os
import subprocess
import sys
from importlib import metadata

import pytest

from rexdense.cli import doctor
from rexdense.engine import installation
from tests.tiny_run import ROOT


def report(capsys, *options) -> tuple[int, dict]:
    status = doctor.main(['--json', *options])
    printed = json.loads(capsys.readouterr().out)
    return status, {each['name']: each for each in printed['findings']} | printed


@pytest.mark.slow
def test_a_sound_installation(capsys):
    """Every part is there, and the tiny models make their step."""
    pytest.importorskip('mmdet')
    pytest.importorskip('mmseg')
    status, found = report(capsys, '--device', 'cpu')
    assert status == 0, [each for each in found['findings'] if each['fault']]
    assert 'line)' in found['mmcv']['value'] and 'compiled for cpu' in found['mmcv.ops']['value']
    assert found['AMP types']['value'].split('cpu: ')[1].startswith('bf16')
    assert 'gloo' in found['backends']['value']
    for name in ('classifier', 'detector', 'segmentor'):
        assert 'a step on cpu in' in found[name]['value']


def test_two_lines_in_one_environment(capsys, monkeypatch):
    version = metadata.version
    monkeypatch.setattr(
        metadata,
        'version',
        lambda name: '1' if name in ('mmdet', 'onedl-mmdetection') else version(name),
    )
    assert doctor.main(['--no-self-test']) == 1
    printed = capsys.readouterr().out
    assert 'fault:    onedl-mmdetection and mmdet write the same folder' in printed
    assert 'mend it:  pip uninstall onedl-mmdetection mmdet' in printed
    assert printed.splitlines()[-1] == '1 fault'


def test_a_package_that_is_missing(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'mmseg', None)
    status, found = report(capsys)
    assert status == 1 and found['mmseg']['fault'] == 'the package mmseg is not installed'
    assert 'pip install' in found['mmseg']['remedy'] and 'classifier' not in found


def test_a_file_in_the_place_of_a_package(monkeypatch, tmp_path):
    (tmp_path / 'mmseg.py').write_text('mine = True')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, 'mmseg', raising=False)
    (found,) = (each for each in installation.package_findings() if each.name == 'mmseg')
    monkeypatch.delitem(sys.modules, 'mmseg')
    assert found.fault == f'{tmp_path}/mmseg.py stands in for the package mmseg'


def test_more_threads_than_cores(capsys, monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', '4096')
    status, found = report(capsys, '--no-self-test')
    assert status == 1 and found['cores']['fault'].startswith('OMP_NUM_THREADS=4096 is more than')
    assert found['cores']['remedy'].startswith('export OMP_NUM_THREADS=')


def test_a_device_that_is_not_here(capsys):
    """It is a fault as others are, told in the same form."""
    pytest.importorskip('mmdet')
    pytest.importorskip('mmseg')
    status, found = report(capsys, '--device', 'npu:99')
    assert status == 1 and found['device']['fault'].startswith("device 'npu:99' is not here")
    assert '--device auto' in found['device']['remedy'] and 'classifier' not in found


@pytest.mark.parametrize('error', [OSError, RuntimeError])
def test_a_package_that_fails_to_import(capsys, monkeypatch, tmp_path, error):
    (tmp_path / 'mmseg.py').write_text(f'raise {error.__name__}("libfoo.so is not there")')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, 'mmseg', raising=False)
    status, found = report(capsys)
    said = f'import mmseg failed ({error.__name__}: libfoo.so is not there)'
    assert status == 1 and found['mmseg']['fault'] == said


@pytest.mark.slow
def test_torch_npu_that_torch_itself_would_import(tmp_path):
    """As its wheel says in the group torch.backends; what fails there ends the import of torch."""
    (tmp_path / 'torch_npu.py').write_text('raise ImportError("libhccl.so: cannot open")')
    info = tmp_path / 'torch_npu-2.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: torch_npu\nVersion: 2.0\n')
    (info / 'entry_points.txt').write_text('[torch.backends]\ntorch_npu = torch_npu:_autoload\n')
    # Without the packages that take long.
    for name in ('mmengine', 'mmcv', 'mmdet', 'mmseg'):
        (tmp_path / f'{name}.py').write_text(f'raise ModuleNotFoundError(name={name!r})')
    variables = os.environ | {'PYTHONPATH': f'{tmp_path}{os.pathsep}{ROOT}'}
    variables.pop('TORCH_DEVICE_BACKEND_AUTOLOAD', None)
    done = subprocess.run(
        [sys.executable, '-m', 'rexdense', 'doctor', '--json'],
        **dict(capture_output=True, text=True, env=variables, cwd=tmp_path),
    )
    found = {each['name']: each for each in json.loads(done.stdout)['findings']}
    assert found['torch']['fault'] is None, found['torch']
    assert (
        found['CANN']['fault'] == 'import torch_npu failed (ImportError: libhccl.so: cannot open)'
    )
    assert 'set_env.sh' in found['CANN']['remedy']
