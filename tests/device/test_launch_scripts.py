"""The launch scripts in tools: what they start, and what they refuse."""

import os
import socket
import subprocess

import pytest

from tests.small_classification import CONFIG
from tests.tiny_run import ROOT


@pytest.fixture
def start(tmp_path, monkeypatch):
    """A function that runs a script; srun and Python print what they are given."""
    for name in ('srun', 'python'):
        program = tmp_path / name
        # torchrun is not started, but the port is tried by a real Python.
        real = '[ "$1" = -c ] && exec python3 "$@"\n' if name == 'python' else ''
        program.write_text(f'#!/bin/sh\n{real}echo "$OMP_NUM_THREADS threads:" {name} "$@"\n')
        program.chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path}{os.pathsep}{os.environ["PATH"]}')
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)

    def run(script, *arguments, **variables):
        done = subprocess.run(
            ['sh', f'tools/{script}', *arguments],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=os.environ | variables,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_processes_of_one_machine(start):
    threads = max(1, len(os.sched_getaffinity(0)) // 2)
    assert start('dist_train.sh', CONFIG, '2', '--epochs', '3') == (
        0,
        f'{threads} threads: python -m torch.distributed.run --nproc-per-node 2 --standalone '
        f'-m rexdense train {CONFIG} --epochs 3 --launcher pytorch\n',
    )


def test_processes_of_two_machines(start):
    variables = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='host0', PORT='1234')
    status, printed = start('dist_train.sh', CONFIG, '8', **variables)
    meeting = '--nnodes 2 --node-rank 1 --master-addr host0 --master-port 1234'
    assert status == 0 and f'--nproc-per-node 8 {meeting} -m rexdense' in printed


def test_processes_of_slurm(start):
    status, printed = start('slurm_train.sh', 'part', 'job', CONFIG, '--amp', NTASKS='4')
    assert status == 0
    assert printed == (
        '5 threads: srun -p part -J job -n 4 --ntasks-per-node 4 --cpus-per-task 5 '
        f'--kill-on-bad-exit 1 --gres=gpu:4 python -m rexdense train {CONFIG} --amp '
        '--launcher slurm\n'
    )
    assert '--gres' not in start('slurm_train.sh', 'part', 'job', CONFIG, GRES='none')[1]


@pytest.mark.parametrize(
    ('script', 'arguments', 'expected'),
    [
        ('dist_train.sh', (), 'usage: tools/dist_train.sh CONFIG N'),
        ('dist_train.sh', ('nowhere.py', '2'), 'usage: tools/dist_train.sh CONFIG N'),
        ('dist_train.sh', (CONFIG, 'two'), "tools/dist_train.sh: 'two' processes: give a number"),
        ('dist_train.sh', (CONFIG, '0'), "tools/dist_train.sh: '0' processes: give a number"),
        ('dist_train.sh', (CONFIG, '9' * 20), f"tools/dist_train.sh: '{'9' * 20}' processes: give"),
        ('slurm_train.sh', ('part', CONFIG), 'usage: tools/slurm_train.sh PARTITION JOB_NAME'),
    ],
)
def test_mistakes(start, script, arguments, expected):
    status, printed = start(script, *arguments)
    assert status == 2 and printed.startswith(expected) and printed.count('\n') == 1


@pytest.mark.parametrize(
    ('script', 'variables', 'expected'),
    [
        ('dist_train.sh', dict(NNODES='two'), 'NNODES=two: give a whole number'),
        ('dist_train.sh', dict(NODE_RANK='-1'), 'NODE_RANK=-1: give a whole number'),
        ('dist_train.sh', dict(NNODES='0'), 'NNODES=0: give a number above 0'),
        ('dist_train.sh', dict(PORT='9' * 20), f'PORT={"9" * 20}: give a whole number, of five'),
        ('dist_train.sh', dict(PORT='http'), 'PORT=http: give a whole number'),
        ('dist_train.sh', dict(PORT='99999'), 'PORT=99999: give a free port, from 1 to 65535'),
        ('dist_train.sh', dict(NNODES='2', NODE_RANK='2'), 'NODE_RANK=2 of NNODES=2: machines'),
        ('dist_train.sh', dict(NNODES='2', MASTER_ADDR=''), 'set MASTER_ADDR to the host name'),
        ('dist_train.sh', dict(PYTHON='no-python'), 'no program no-python: activate the env'),
        ('slurm_train.sh', dict(NTASKS='9' * 20), f'NTASKS={"9" * 20}: give a number'),
        ('slurm_train.sh', dict(NTASKS='all'), 'NTASKS=all: give a number from 1 to 99999'),
        ('slurm_train.sh', dict(CPUS_PER_TASK='0'), 'CPUS_PER_TASK=0: give a number from 1 to'),
    ],
)
def test_variables_that_cannot_be(start, script, variables, expected):
    arguments = (CONFIG, '2') if script == 'dist_train.sh' else ('part', 'job', CONFIG)
    status, printed = start(script, *arguments, **variables)
    assert status == 2 and printed.startswith(f'tools/{script}: {expected}')
    assert printed.count('\n') == 1


def test_without_slurm(tmp_path):
    done = subprocess.run(
        ['/bin/sh', 'tools/slurm_train.sh', 'part', 'job', CONFIG],
        **dict(capture_output=True, text=True, cwd=ROOT, env={'PATH': str(tmp_path)}),
    )
    assert done.returncode == 2 and done.stderr.count('\n') == 1
    assert done.stderr.startswith('tools/slurm_train.sh: no srun here: call it where Slurm is')


def test_a_port_in_use(start):
    with socket.socket() as taken:
        taken.bind(('', 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert start('dist_train.sh', CONFIG, '2', PORT=port) == (
            2,
            f'tools/dist_train.sh: port {port} is in use: set PORT to a free one\n',
        )
