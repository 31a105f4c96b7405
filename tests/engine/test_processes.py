"""The programs as processes: several of them, interrupted, refused."""

import os
import runpy
import signal
import subprocess
import sys

import pytest

pytest.importorskip('mmdet')

from tests.tiny_run import CONFIG, ROOT, train_arguments

ENVIRONMENT = os.environ | {'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}


@pytest.mark.slow
def test_two_processes_train_together(shapes, tmp_path):
    work_dir = tmp_path / 'run'
    arguments = train_arguments(shapes, work_dir, '--launcher', 'pytorch', '--amp')
    done = subprocess.run(
        [
            *(sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2'),
            *('tools/train.py', *arguments),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert sum('for 4 images a step, AdamW' in line for line in lines) == 1
    assert sum(line.startswith('images  ') for line in lines) == 1
    assert sum('Epoch(train) [1][2/2]' in line for line in lines) == 1
    assert sum(line.startswith('bbox_mAP ') for line in lines) == 1
    assert f'predictions {work_dir}/predictions.png' in lines
    assert lines[-1].startswith('Done: bbox_mAP ')
    assert (work_dir / 'epoch_1.pth').is_file()


@pytest.mark.slow
def test_interrupting_ends_in_one_line(shapes, tmp_path):
    arguments = train_arguments(shapes, tmp_path / 'run', '--epochs', '1000', '--workers', '1')
    process = subprocess.Popen(
        [sys.executable, 'tools/train.py', *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=ENVIRONMENT,
        start_new_session=True,
        # A shell that runs the tests in the background has them ignore the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    for line in process.stdout:
        if 'Epoch(train)' in line:
            os.killpg(process.pid, signal.SIGINT)
            break
    output, errors = process.communicate()
    assert process.returncode == 130
    assert output.splitlines()[-1].startswith('stopped by SIGINT after iteration ')
    assert 'Traceback' not in errors


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
