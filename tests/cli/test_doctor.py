"""rexdense doctor: what it finds, and the commands that mend faults."""

import json
import sys
from importlib import metadata

import pytest

from rexdense.cli import doctor
from rexdense.engine import installation


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
        installation.metadata,
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


def test_more_threads_than_cores(capsys, monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', '4096')
    status, found = report(capsys, '--no-self-test')
    assert status == 1 and found['cores']['fault'].startswith('OMP_NUM_THREADS=4096 is more than')
    assert found['cores']['remedy'].startswith('export OMP_NUM_THREADS=')
