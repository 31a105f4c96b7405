"""Data loaders: threads of their processes, and passes without a batch."""

import multiprocessing
import os
import platform
import signal
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

pytest.importorskip('mmengine')

from rexdense.engine.dataloaders import as_lost_worker, end_stuck_processes
from rexdense.engine.resume.stopping import StopSignals
from rexdense.engine.runner import Runner
from rexdense.errors import InvalidArgument, LostWorker, ProcessLost


class Threads(Dataset):
    """Samples that are (threads of torch, threads of OpenCV, a random number) of their process."""

    metainfo: dict = {}

    def __init__(self, images: int = 6) -> None:
        self.images = images

    def __len__(self) -> int:
        return self.images

    def __getitem__(self, index: int) -> tuple:
        return torch.get_num_threads(), cv2.getNumThreads(), np.random.random()


def loader(images=6, sampler='DefaultSampler', shuffle=False, **options):
    return Runner.build_dataloader(
        dict(dataset=Threads(images), sampler=dict(type=sampler, shuffle=shuffle), **options),
        seed=0,
    )


@pytest.mark.parametrize(
    'settings',
    [
        dict(persistent_workers=True),
        dict(prefetch_factor=4),
        dict(timeout=3),
        dict(multiprocessing_context='fork'),
    ],
)
def test_settings_of_processes_are_left_out_where_there_are_none(settings):
    assert len(list(loader(batch_size=2, num_workers=0, **settings))) == 3
    kept = loader(batch_size=2, num_workers=1, **settings)
    (name, value), *_ = settings.items()
    held = getattr(kept, name)
    assert (held.get_start_method() if name == 'multiprocessing_context' else held) == value


@pytest.mark.parametrize('timeout', [-1, 'soon', float('nan'), float('inf'), True, None])
def test_a_timeout_that_is_none(timeout):
    with pytest.raises(InvalidArgument, match=r'^timeout=.* of a data loader: give seconds'):
        loader(batch_size=2, num_workers=1, timeout=timeout)


def test_processes_compute_with_one_thread():
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(4)
    cv2.setNumThreads(4)
    try:
        found = list(loader(batch_size=2, num_workers=2))
        torch_threads, opencv_threads, numbers = (
            torch.cat([torch.as_tensor(batch[place]) for batch in found]) for place in range(3)
        )
        assert set(torch_threads.tolist()) == {1}
        assert set(opencv_threads.tolist()) == {1}
        # mmengine's seeding goes on: other numbers in each process.
        assert len(set(numbers.tolist())) == 6
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (4, 4)
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


class Changes(Threads):
    """Samples that say whether mmcv's transforms are as rexdense makes them."""

    def __getitem__(self, index: int) -> tuple:
        from mmcv.image import geometric
        from mmcv.transforms import BaseTransform

        return (
            getattr(BaseTransform.__call__, 'leaves_in_order', False),
            getattr(geometric._scale_size, 'leaves_a_pixel', False),
        )


def test_processes_that_know_nothing_of_their_parent_change_transforms_as_it_does(monkeypatch):
    pytest.importorskip('mmcv')
    from mmcv.image import geometric
    from mmcv.transforms import BaseTransform, processing

    def without_change(*arguments):
        raise AssertionError

    monkeypatch.setattr(BaseTransform, '__call__', without_change)
    for module in (geometric, processing):
        monkeypatch.setattr(module, '_scale_size', without_change)
    assert Changes()[0] == (False, False)
    batches = Runner.build_dataloader(
        dict(dataset=Changes(1), sampler=dict(type='DefaultSampler'), batch_size=1, num_workers=1),
    )
    (batch,) = batches
    assert list(map(tuple, batch)) == [(True,), (True,)]


@pytest.mark.parametrize('images', [1, 5])
def test_fewer_images_than_a_batch(images):
    with pytest.raises(
        InvalidArgument,
        match=f'^{images} images? on each device, fewer than a batch of 8, .*size {images} ',
    ):
        loader(images, batch_size=8, drop_last=True)
    assert len(loader(images, batch_size=8)) == 1
    assert len(loader(images, batch_size=images, drop_last=True)) == 1


def test_fewer_images_than_processes(monkeypatch):
    monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda: (0, 8))
    with pytest.raises(InvalidArgument, match=r'^8 processes for 5 images to train on: start as'):
        loader(5, batch_size=1, shuffle=True)
    # Measuring gives some of them nothing new, and leaves that out.
    assert len(loader(5, batch_size=1)) == 1
    assert len(loader(8, batch_size=1, shuffle=True)) == 1


def test_uneven_shares_of_processes(monkeypatch):
    """Filled up, each process has as many batches, of as many images, as the others."""
    shares = []
    for rank in range(2):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda rank=rank: (rank, 2))
        share = loader(5, batch_size=2, shuffle=True).batch_sampler
        shares.append([len(batch) for batch in share])
        section = dict(dataset=Threads(5), batch_size=2)
        section['sampler'] = dict(type='DefaultSampler', shuffle=True, round_up=False)
        with pytest.raises(InvalidArgument, match=r'^round_up=False .*2 processes .* 5 images'):
            Runner.build_dataloader(section, seed=0)
        section['dataset'] = Threads(6)
        assert len(Runner.build_dataloader(section, seed=0)) == 2
    assert shares == [[2, 1], [2, 1]]


def test_training_by_iterations_starts_over():
    found = loader(5, 'InfiniteSampler', batch_size=8, drop_last=True)
    assert len(next(iter(found))[0]) == 8


class Stuck(Threads):
    """Samples of a disk that does not answer: their process can be killed alone."""

    def __getitem__(self, index: int) -> tuple:
        os.kill(os.getpid(), signal.SIGSTOP)


@pytest.mark.parametrize('persistent', [False, True])
def test_a_process_that_gives_nothing(persistent, monkeypatch):
    # What torch's loader gives a process to end, before and after a signal.
    monkeypatch.setattr('torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL', 0.5)
    built = Runner.build_dataloader(
        dict(
            dataset=Stuck(),
            sampler=dict(type='DefaultSampler', shuffle=False),
            **dict(batch_size=2, num_workers=1, timeout=1, persistent_workers=persistent),
        ),
        seed=0,
    )
    began = time.monotonic()
    said = r'^no batch of images has come for 1 seconds, the timeout of the data loader'
    with pytest.raises(LostWorker, match=said), as_lost_worker():
        list(built)
    end_stuck_processes()
    assert time.monotonic() - began < 10
    assert not multiprocessing.active_children()


class Memory(Threads):
    """Samples that are the memory of their process that no file is mapped into, in MiB."""

    def __getitem__(self, index: int) -> int:
        return own_memory()


def own_memory() -> int:
    lines = Path('/proc/self/status').read_text().splitlines()
    return int(next(line for line in lines if line.startswith('RssAnon:')).split()[1]) // 1024


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='needs glibc')
def test_processes_have_no_freed_memory_of_their_parent():
    # Blocks of the heap, of which the last one keeps the others from going back to the kernel.
    blocks = [b'x' * 100_000 for _ in range(1000)]
    del blocks[:-1]
    section = dict(
        dataset=Memory(),
        sampler=dict(type='DefaultSampler', shuffle=False),
        **dict(batch_size=1, num_workers=1),
    )
    (found, *_) = Runner.build_dataloader(section, seed=0)
    assert int(found[0]) < own_memory() - 80


class HandedToNobody(Threads):
    """Samples that cannot be handed over, as where shared memory is used up."""

    def __getitem__(self, index: int) -> object:
        return lambda: None


def test_a_batch_that_cannot_be_handed_over():
    built = Runner.build_dataloader(
        dict(
            dataset=HandedToNobody(),
            sampler=dict(type='DefaultSampler', shuffle=False),
            **dict(batch_size=1, num_workers=1, timeout=20),
        ),
        seed=0,
    )
    said = r'^process \d+, which loads images, has ended: where memory, .* run short, give fewer '
    with pytest.raises(LostWorker, match=said), as_lost_worker():
        list(built)


@pytest.mark.parametrize(('number', 'status'), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_process_that_the_signal_has_ended_which_stops_the_run(number, status):
    """As one that was spawned and had not yet begun, where a scheduler sends it to all."""
    signals = StopSignals()
    signals.number = number
    said = f'^stopped by {number.name}, and process 5, which loads images, has ended: the last '
    with pytest.raises(ProcessLost, match=said) as caught, as_lost_worker(signals):
        raise RuntimeError('DataLoader worker (pid(s) 5) exited unexpectedly')
    assert caught.value.exit_status == status
