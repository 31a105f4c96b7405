"""The programs as processes: several of them, interrupted, refused."""

import os
import runpy
import signal
import sys

import pytest

pytest.importorskip('mmdet')

from tests.forked import Forked, rexdense, run_together
from tests.tiny_run import CONFIG, ROOT, train_arguments


@pytest.mark.slow
def test_two_processes_train_together(shapes, tmp_path):
    work_dir = tmp_path / 'run'
    arguments = train_arguments(shapes, work_dir, '--launcher', 'pytorch', '--amp')
    group = run_together(rexdense, ['train', *arguments])
    for process in group:
        assert process.returncode == 0, process.stderr
    lines = ''.join(process.stdout for process in group).splitlines()
    assert sum('for 4 images a step, AdamW' in line for line in lines) == 1
    assert sum(line.startswith('images  ') for line in lines) == 1
    assert sum('Epoch(train) [1][2/2]' in line for line in lines) == 1
    assert sum(line.startswith('bbox_mAP ') for line in lines) == 1
    assert f'predictions {work_dir}/predictions.png' in lines
    assert group[0].stdout.splitlines()[-1].startswith('Done: bbox_mAP ')
    assert (work_dir / 'epoch_1.pth').is_file()


@pytest.mark.slow
def test_interrupting_ends_in_one_line(shapes, tmp_path):
    arguments = train_arguments(shapes, tmp_path / 'run', '--epochs', '1000', '--workers', '1')
    process = Forked(rexdense, ['train', *arguments])
    process.wait_for('Epoch(train)')
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait() == 130
    assert process.stdout.splitlines()[-1].startswith('stopped by SIGINT after iteration ')
    assert 'Traceback' not in process.stderr


@pytest.mark.parametrize(
    ('program', 'arguments', 'status', 'expected'),
    [
        ('train', [CONFIG, '--data-root', 'nowhere'], 1, 'data root nowhere is not there; give t'),
        ('test', [CONFIG, 'nowhere.pth'], 1, 'nowhere.pth is not there: check the path'),
        ('predict', ['nowhere.pth'], 2, 'the following arguments are required: images, --out-d'),
    ],
)
def test_mistakes_end_in_one_line(program, arguments, status, expected, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, 'argv', [f'tools/{program}.py', *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(f'tools/{program}.py', run_name='__main__')
    assert ended.value.code == status
    printed = capsys.readouterr().err
    assert printed.startswith(f'rexdense {program}: error: {expected}')
    assert printed.count('\n') == 1
