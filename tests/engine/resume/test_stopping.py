"""Runs that are stopped by a signal, by a full disk, or by another run in their folder."""

import itertools
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmengine')

from mmengine.hooks import Hook
from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop

from benchmarks.kills import differences
from rexdense.engine.resume.checkpoints import find_checkpoint, newest_checkpoint
from rexdense.engine.resume.stopping import RunStopped
from rexdense.engine.runner import Runner
from rexdense.engine.work_dir import LOCK, RequireAlone, alone_in
from rexdense.errors import InvalidArgument, UnwritableFile
from tests.engine.resume.toy_run import (
    KillAt,
    Numbers,
    fill,
    last,
    run,
    run_in_group,
    toy_config,
)
from tests.forked import Forked, rexdense, run_together
from tests.small_classification import CONFIG as CLASSIFICATION_CONFIG
from tests.small_classification import classification_arguments
from tests.tiny_run import ROOT

ENVIRONMENT = os.environ | {'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}


@pytest.fixture
def heard():
    """Let this process take SIGINT, which shells let what runs in the background ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ('share', 'number'),
    [
        (0.2, signal.SIGTERM),
        (1 / 3, signal.SIGINT),  # after the last step of an epoch
        (0.5, signal.SIGINT),
        (0.55, signal.SIGTERM),
        (0.7, signal.SIGINT),
    ],
)
def test_a_signal_at_any_event(undisturbed, heard, tmp_path, share, number):
    """Within steps and validations; what is saved then is what a run would have gone on from."""
    whole, events = undisturbed('epochs')
    before = signal.getsignal(number)
    with pytest.raises(RunStopped, match=f'stopped by {number.name} after iteration ') as caught:
        run(toy_config(tmp_path, every=None, at=int(share * events), how=number))
    assert signal.getsignal(number) is before
    assert caught.value.status == {signal.SIGTERM: 75, signal.SIGINT: 130}[number]
    assert newest_checkpoint(tmp_path) == caught.value.file
    run(toy_config(tmp_path, every=None), resume=True)
    assert differences(whole / last(whole), tmp_path / last(whole)) == []


@pytest.mark.parametrize('place', [0, 5, 8, 11])  # of 8 in an epoch, then 8 in a validation
@pytest.mark.parametrize('caught', [False, True])
def test_an_image_that_does_not_come(undisturbed, tmp_path, monkeypatch, place, caught):
    """The wait for it is left, and what was learnt is saved; also where a data set takes what comes
    of the signal for a fault of the image."""
    whole, _ = undisturbed('epochs')
    read, images = Numbers.__getitem__, itertools.count()

    def read_slowly(self, index):
        try:
            if next(images) == place:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(40)
        except BaseException:
            if not caught:
                raise
            index = 0
        return read(self, index)

    began = time.monotonic()
    with monkeypatch.context() as patch:
        patch.setattr(Numbers, '__getitem__', read_slowly)
        with pytest.raises(RunStopped, match='stopped by SIGTERM after iteration '):
            run(toy_config(tmp_path, every=None))
    assert time.monotonic() - began < 30
    run(toy_config(tmp_path, every=None), resume=True)
    assert differences(whole / last(whole), tmp_path / last(whole)) == []


class Ended(Exception):
    """What a program does of itself when it gets SIGTERM."""


@pytest.fixture
def ends():
    """Let SIGTERM raise Ended, unless a run waits for it."""

    def end(number, frame):
        raise Ended

    before = signal.signal(signal.SIGTERM, end)
    yield
    signal.signal(signal.SIGTERM, before)


class Ask(Hook):
    """Send SIGTERM to the process before a training, or at its first step."""

    def __init__(self, event):
        setattr(self, event, lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM))


@LOOPS.register_module(force=True)
class OwnLoop(EpochBasedTrainLoop):
    """A loop that knows nothing of signals."""


@pytest.mark.parametrize(
    ('event', 'loop'), [('before_train', 'EpochBasedTrainLoop'), ('before_train_iter', 'OwnLoop')]
)
def test_a_signal_where_nothing_can_be_saved(tmp_path, ends, event, loop):
    """Among checks that may take minutes, or in a loop of the user's own: the program ends."""
    config = toy_config(tmp_path)
    config.train_cfg.type = loop
    runner = Runner.from_cfg(config)
    runner.register_hook(Ask(event))
    with pytest.raises(Ended):
        runner.train()
    assert newest_checkpoint(tmp_path) is None


def test_a_process_is_stopped_by_its_scheduler(image_folder, tmp_path):
    """The signal goes to all processes, those that load images too; nobody else trains there."""
    work_dir = tmp_path / 'run'
    process = Forked(rexdense, training(image_folder, work_dir, '--workers', '1'))
    process.wait_for('Epoch(train)')
    with (
        pytest.raises(InvalidArgument, match=rf'that is training \(process {process.pid} of '),
        alone_in(work_dir),
    ):
        pass
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(30) == 75, process.stderr
    assert 'Traceback' not in process.stderr
    (said,) = (
        line for line in process.stdout.splitlines() if line.startswith('stopped by SIGTERM')
    )
    file = newest_checkpoint(work_dir)
    assert said.endswith(f'saved in {file}: go on with --resume')
    with alone_in(work_dir):
        pass


def test_a_newer_checkpoint_that_is_damaged(undisturbed, tmp_path):
    whole, events = undisturbed('epochs')
    with pytest.raises(RunStopped):
        run(toy_config(tmp_path, at=events // 2, how=signal.SIGTERM))
    newest = newest_checkpoint(tmp_path)
    newest.write_bytes(newest.read_bytes()[:-500])
    found, faults = find_checkpoint(tmp_path)
    assert found.path != newest and str(newest) in faults[0]
    run(toy_config(tmp_path), resume=True)
    assert differences(whole / last(whole), tmp_path / last(whole)) == []


def test_a_clock_that_is_set_back(undisturbed, tmp_path):
    """By a year, or, at the end of summer time, by an hour: what is saved and logged after it is
    what came last."""
    whole, events = undisturbed('epochs')
    with pytest.raises(RunStopped):
        run(toy_config(tmp_path, at=events // 3, how=signal.SIGTERM))
    later = time.time() + 365 * 24 * 3600
    for path in tmp_path.glob('*.pth'):
        os.utime(path, (later, later))
    (folder,) = (path.parent for path in tmp_path.glob('*/*.log'))
    stamp = f'{int(folder.name[:4]) + 1}{folder.name[4:]}'
    (folder / f'{folder.name}.log').rename(folder / f'{stamp}.log')
    folder.rename(tmp_path / stamp)
    with pytest.raises(RunStopped) as stopped:
        run(toy_config(tmp_path, at=events // 3, how=signal.SIGTERM), resume=True)
    assert newest_checkpoint(tmp_path) == stopped.value.file
    run(toy_config(tmp_path), resume=True)
    assert differences(whole / last(whole), tmp_path / last(whole)) == []


def test_larger_batches_from_within_an_epoch(tmp_path):
    """Of which an epoch has fewer: the steps are counted anew, and come after those of before."""
    for batch_size, at, name in (2, 14, 'step_6.pth'), (4, 0, 'step_4.pth'):
        config = toy_config(tmp_path, every=None, at=at, how=signal.SIGTERM)
        config.train_dataloader.batch_size = batch_size
        with pytest.raises(RunStopped) as stopped:
            run(config, resume=at == 0)
        assert newest_checkpoint(tmp_path) == stopped.value.file == tmp_path / name


def test_a_full_disk(undisturbed, small_disk, monkeypatch):
    whole, events = undisturbed('epochs')
    with pytest.raises(RunStopped):
        run(toy_config(small_disk / 'run', at=events // 2, how=signal.SIGTERM))
    kept = newest_checkpoint(small_disk / 'run')

    filling = small_disk / 'filling'
    monkeypatch.setattr(KillAt, 'call', lambda: fill(filling))
    with pytest.raises(
        UnwritableFile, match=r'cannot be written \(No space left on device\): make'
    ):
        run(toy_config(small_disk / 'run', at=3, how='call'), resume=True)
    assert newest_checkpoint(small_disk / 'run').is_file() and kept.is_file()
    # Nobody has made room before it is started again.
    config = toy_config(small_disk / 'run')
    config.log_level = 'INFO'
    with pytest.raises(
        UnwritableFile, match=r'cannot be written \(No space left on device\): make'
    ):
        run(config, resume=True)
    filling.unlink()
    run(toy_config(small_disk / 'run'), resume=True)
    assert differences(whole / last(whole), small_disk / 'run' / last(whole)) == []


def test_files_that_may_not_be_as_large(tmp_path):
    """The checkpoint before it stays, though one alone is kept."""
    config = toy_config(tmp_path, every=None)
    config.default_hooks.checkpoint.max_keep_ckpts = 1
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    KillAt.call = lambda: resource.setrlimit(
        resource.RLIMIT_FSIZE, ((tmp_path / 'epoch_1.pth').stat().st_size - 4096, before[1])
    )
    config.custom_hooks[-1].update(at=9, how='call')
    try:
        with pytest.raises(UnwritableFile, match=r'^checkpoint .*epoch_\d\.pth .*File too large'):
            run(config)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        KillAt.call = None
    assert newest_checkpoint(tmp_path) == tmp_path / 'epoch_1.pth'
    assert not list(tmp_path.glob('.epoch*'))


def test_a_link_in_the_place_of_a_checkpoint(tmp_path):
    """The checkpoint replaces it, and what it points to stays."""
    (tmp_path / 'theirs').write_text('theirs')
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run/epoch_4.pth').symlink_to('../theirs')
    run(toy_config(tmp_path / 'run'))
    assert (tmp_path / 'theirs').read_text() == 'theirs'
    assert newest_checkpoint(tmp_path / 'run') == tmp_path / 'run/epoch_4.pth'


def hold(work_dir):
    """Be a run that trains in a folder."""
    with alone_in(work_dir):
        print('alone')
        time.sleep(60)


@pytest.mark.parametrize('another', [False, True])
def test_a_lock_that_somebody_deletes(tmp_path, monkeypatch, another):
    """The run goes on, unless another one has come into the folder."""
    others = []

    def delete():
        (tmp_path / LOCK).unlink()
        if another:
            others.append(Forked(hold, tmp_path))
            others[0].wait_for('alone')

    monkeypatch.setattr(KillAt, 'call', delete)
    runner = Runner.from_cfg(toy_config(tmp_path, at=9, how='call'))
    runner.register_hook(RequireAlone())
    with alone_in(tmp_path):
        if another:
            with pytest.raises(UnwritableFile, match=r'belongs to another run by now \(process '):
                runner.train()
        else:
            runner.train()
    for other in others:
        assert (tmp_path / LOCK).exists() and other.poll() is None
        other.kill()


@pytest.mark.slow
def test_two_processes(tmp_path):
    """Killed, stopped by a signal to one of them, gone on with: each ends as it would have."""

    def go(folder, **options):
        """Return what the processes told as errors, or None where both went to the end."""
        group = run_together(partial(run_in_group, folder, **options))
        failed = any(each.returncode for each in group)
        return ''.join(each.stderr for each in group) if failed else None

    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    assert go(whole) is None
    assert go(killed, kill_at=11) is not None
    assert 'stopped by SIGTERM after iteration' in go(killed, resume=True, stop_at=3, stale=True)
    assert go(killed, resume=True) is None
    assert differences(whole / last(whole), killed / last(whole)) == []
    for rank in (0, 1):
        states = [torch.load(folder / f'rank_{rank}.pt') for folder in (whole, killed)]
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def training(image_folder, work_dir, *more):
    """The command line of a training that goes on for ever."""
    options = classification_arguments(
        image_folder, work_dir, '--epochs', '1000', '--seed', '0', *more
    )
    return ['train', str(ROOT / CLASSIFICATION_CONFIG), *options]


def test_a_loader_process_that_is_killed(image_folder, tmp_path):
    """As by a system that is short of memory: told in a line, and the run can go on."""
    options = ('--workers', '2', '--checkpoint-every', '1i')
    process = Forked(rexdense, training(image_folder, tmp_path / 'run', *options))
    process.wait_for('Epoch(train)')
    children = Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()
    own = command_of(process.pid)
    loaders = [each for each in map(int, children) if command_of(each) == own]
    os.kill(loaders[0], signal.SIGKILL)
    status, lines = process.wait(60), process.stderr.strip().splitlines()
    assert (status, len(lines)) == (1, 1), lines
    said = (
        rf'rexdense train: error: process {loaders[0]}, which loads images, was killed \(Killed\)'
    )
    assert re.match(said, lines[0]) and newest_checkpoint(tmp_path / 'run') is not None


def command_of(pid):
    return Path(f'/proc/{pid}/cmdline').read_bytes()


def test_a_signal_before_training_begins(image_folder, tmp_path):
    process = subprocess.Popen(
        [
            sys.executable,
            '-m',
            'rexdense',
            *training(image_folder, tmp_path / 'run', '--workers', '0'),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=ENVIRONMENT,
    )
    # Once Python has read the program: a file of torch is mapped.
    while b'torch' not in Path(f'/proc/{process.pid}/maps').read_bytes():
        time.sleep(0.01)
    process.terminate()
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 75 and 'Epoch(train)' not in output
    said = 'rexdense train: stopped by SIGTERM before or after the training: start it again'
    assert errors.startswith(said) and errors.count('\n') == 1


def test_values_of_a_run_that_somebody_deletes(tmp_path, monkeypatch):
    """Told in a line, by the folder; the checkpoints stay."""
    monkeypatch.setattr(
        KillAt, 'call', lambda: [shutil.rmtree(each) for each in tmp_path.glob('*/vis_data')]
    )
    with pytest.raises(UnwritableFile, match=r'No such file or directory'):
        run(toy_config(tmp_path, at=9, how='call'))
    assert newest_checkpoint(tmp_path) is not None
