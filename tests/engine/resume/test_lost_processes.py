"""A process that is killed or hangs ends the others in a set time, with one line; torchrun starts
them anew, and they end where they would have ended."""

import signal
import time
from functools import partial

import pytest

pytest.importorskip('mmdet')

from benchmarks.kills import differences
from rexdense.checkpoint import read_checkpoint
from rexdense.cli import train
from rexdense.device import lost_processes, may_restart
from rexdense.errors import InvalidArgument, ProcessLost
from tests.engine.resume import killed_program  # noqa: F401  (registers the hook)
from tests.forked import Forked, fork_together, launch, rexdense, run_together
from tests.small_classification import CONFIG, NARROW, classification_arguments
from tests.tiny_run import ROOT

LAUNCHER = dict(
    min_nodes=1,
    max_nodes=1,
    nproc_per_node=2,
    max_restarts=1,
    run_id='tests',
    rdzv_backend='c10d',
    rdzv_endpoint='localhost:0',
)
"""What torchrun makes of ``--standalone --nproc-per-node=2 --max-restarts=1``."""


def arguments(image_folder, work_dir, how, at, *more):
    """Two epochs of three steps; at an event of it process 1 gets a signal."""
    hook = f"custom_hooks=[dict(type='KillOnce', at={at}, how={int(how)})]"
    config = work_dir.parent / f'{work_dir.name}.py'
    config.write_text(f"_base_ = ['{ROOT / CONFIG}']\n{hook}\n")
    return [
        *('train', str(config), '--data-root', str(image_folder), '--work-dir', str(work_dir)),
        *('--device', 'cpu', '--scale', '32,32', '--batch-size', '2', '--workers', '0'),
        *('--epochs', '2', '--seed', '0', '--checkpoint-every', '1i', '--launcher', 'pytorch'),
        *more,
        *('--cfg-options', NARROW),
    ]


@pytest.mark.slow
def test_a_killed_process_and_a_restart(image_folder, tmp_path):
    """The others end with one line, and all go on to the weights of an undisturbed run."""
    command = arguments(image_folder, tmp_path / 'whole', signal.SIGKILL, -1)
    for process in run_together(rexdense, command):
        assert process.returncode == 0, process.stderr
    command = arguments(image_folder, tmp_path / 'killed', signal.SIGKILL, 8)
    done = Forked(partial(launch, **LAUNCHER), rexdense, command)
    assert done.wait() == 0, done.stderr
    # torchrun's SIGTERM may arrive before the process has seen the loss.
    lost = 'rexdense train: error: process 0 of 2 has lost another one ('
    lines = [*done.stderr.splitlines(), *done.stdout.splitlines()]
    told = [line for line in lines if line.startswith((lost, 'stopped by SIGTERM after iter'))]
    assert len(told) == 1, done.stderr
    assert done.stdout.count('Started anew by torchrun: the run goes on') == 1
    files = [tmp_path / name / 'epoch_2.pth' for name in ('whole', 'killed')]
    assert [read_checkpoint(file).content['meta']['iter'] for file in files] == [6, 6]
    assert differences(*files) == []


@pytest.mark.slow
def test_a_process_that_hangs(image_folder, tmp_path):
    """Without torchrun, as under Slurm or MPI."""
    waiting = 'env_cfg.dist_cfg.timeout=5'
    command = arguments(image_folder, tmp_path / 'run', signal.SIGSTOP, 2)
    first, second = fork_together(rexdense, [*command, waiting])
    try:
        first.wait_for('Epoch(train)')
        began = time.monotonic()
        first.wait(60)
        assert time.monotonic() - began < 40
    finally:
        first.kill()
        second.kill()
    assert first.returncode == ProcessLost.exit_status, first.stderr
    (told,) = (line for line in first.stderr.splitlines() if 'error: ' in line)
    assert 'process 0 of 2 has lost another one (' in told and 'imed out' in told


@pytest.mark.parametrize('timeout', ['"soon"', '0', '-3', 'True', '[1]'])
def test_a_time_that_is_none(timeout, image_folder, tmp_path):
    setting = f'env_cfg.dist_cfg.timeout={timeout}'
    options = classification_arguments(
        image_folder, tmp_path / 'run', '--launcher', 'pytorch', settings=(setting,)
    )
    with pytest.raises(InvalidArgument, match=r'^env_cfg\.dist_cfg\.timeout=.*: give seconds'):
        train.main([str(ROOT / CONFIG), *options])


def test_a_restart_leaves_the_results_of_another_run_alone(classified, image_folder, monkeypatch):
    """Which nobody has said to replace or to go on with: this launcher has not begun them."""
    monkeypatch.setenv('TORCHELASTIC_MAX_RESTARTS', '1')
    options = classification_arguments(image_folder, classified.work_dir)
    with pytest.raises(InvalidArgument, match='holds checkpoints of an earlier run'):
        train.main([str(ROOT / CONFIG), *options])


def test_a_run_that_replaces_another_is_not_restarted(image_folder, tmp_path, monkeypatch):
    """Its restart would take the checkpoints of the other for its own."""
    options = classification_arguments(image_folder, tmp_path / 'run', '--overwrite')
    monkeypatch.setenv('TORCHELASTIC_MAX_RESTARTS', '3')
    assert may_restart()
    with pytest.raises(InvalidArgument, match=r'^--overwrite with --max-restarts of torchrun'):
        train.main([str(ROOT / CONFIG), *options])


@pytest.mark.parametrize(
    ('said', 'is_loss'),
    [
        ('[../gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:1', True),
        ('[../gloo/transport/tcp/buffer.cc:71] Timed out waiting 8000ms for recv operation', True),
        ('[enforce fail at gloo/algorithm.cc:1] op.preamble.length <= op.nbytes. 8 vs 4', False),
        ('The size of tensor a (3) must match the size of tensor b (2)', False),
        ('DataLoader timed out after 3 seconds', False),
    ],
)
def test_which_errors_are_of_lost_processes(said, is_loss, monkeypatch):
    monkeypatch.setattr(lost_processes.distributed, 'is_initialized', lambda: True)
    monkeypatch.setattr(lost_processes.distributed, 'get_world_size', lambda: 2)
    assert lost_processes._is_loss(RuntimeError(said)) is is_loss
