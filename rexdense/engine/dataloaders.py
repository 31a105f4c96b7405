"""Data loaders of rexdense's runner."""

import contextlib
import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from multiprocessing.queues import Queue
from typing import Any

import cv2
import torch
from mmengine.dataset import InfiniteSampler
from torch.utils.data import DataLoader

from rexdense.arch.checks import is_number
from rexdense.device import return_freed_memory
from rexdense.engine.resume.stopping import StopSignals, spare_workers, status_of
from rexdense.errors import InvalidArgument, LostWorker, ProcessLost

_OF_PROCESSES = ('multiprocessing_context', 'persistent_workers', 'prefetch_factor', 'timeout')
"""Arguments of torch's loader that it refuses without workers."""
# Messages of torch, csrc/DataLoader.cpp and utils/data/dataloader.py.
_LOST = re.compile(
    r'DataLoader worker \(pid\(?s?\)? ?([\d, ]+)\) (?:is killed by signal: ([^.]*)|exited|has )'
)
_TIMED_OUT = re.compile(r'DataLoader timed out after ([\d.]+) seconds')
_LONGEST_END = 5
"""Seconds that a process has to end after it was killed."""


class WorkerSetup:
    """Set up a dataloader worker.

    - It computes with one thread, because several workers share the cores with the training.
    - It survives the signal that asks the training to stop.
    - It returns the memory that the training had when it was forked: the workers of the validation
      start after the first epoch.
    - It applies rexdense's changes to mmcv's transforms, also if it was spawned.
    - It ends if it cannot hand over a batch.

    Args:
        then: Called last, with the number of the worker.
    """

    def __init__(self, then: Callable[[int], Any] | None = None) -> None:
        self.then = then

    def __call__(self, worker: int) -> None:
        """Set up the worker with the number ``worker``."""
        torch.set_num_threads(1)
        cv2.setNumThreads(0)
        spare_workers()
        return_freed_memory()
        Queue._on_queue_feeder_error = staticmethod(_end_process)
        # Imported here, because a loader of other data does not need mmcv.
        with contextlib.suppress(ImportError):
            from rexdense.datasets.images.least_size import leave_a_pixel
            from rexdense.datasets.images.memory import leave_in_order

            leave_a_pixel()
            leave_in_order()
        if self.then is not None:
            self.then(worker)


def _end_process(error: Exception, batch: Any) -> None:
    """End a worker that cannot hand over a batch, for example because shared memory is full. Python
    drops the batch, and the training would wait for it forever."""
    os._exit(1)


@contextlib.contextmanager
def as_lost_worker(signals: StopSignals | None = None) -> Iterator[None]:
    """Turn torch's error for a worker that was killed, or that exceeded the loader's ``timeout``,
    into a message of one line. torch may raise it anywhere, so the causes of other errors count
    too.

    Args:
        signals: The stop signals of the run, which all its processes may have received.

    Raises:
        LostWorker: a worker was lost.
        ProcessLost: the same, after the run was asked to stop: the signal also ends a spawned
            worker that is still starting.
    """
    try:
        yield
    except Exception as error:
        said = next(filter(None, map(_loss, _causes(error))), None)
        if said is None:
            raise
        if signals is None or not signals.number:
            raise LostWorker(f'{said}; then go on with --resume') from error
        name = signal.Signals(signals.number).name
        stopped = ProcessLost(
            f'stopped by {name}, and {said.partition(":")[0]}: the last steps are not saved; '
            'start it again, with --resume where there is a checkpoint'
        )
        stopped.exit_status = status_of(signals.number)
        raise stopped from error


def _loss(error: BaseException) -> str | None:
    """Return the message for an error of a lost worker; None for any other error."""
    if not isinstance(error, RuntimeError):
        return None
    if found := _LOST.search(str(error)):
        why = f'was killed ({found[2].strip()})' if found[2] else 'has ended'
        return (
            f'process {found[1].strip()}, which loads images, {why}: where memory, shared memory '
            '(/dev/shm) or open files (ulimit -n) run short, give fewer --workers'
        )
    if found := _TIMED_OUT.search(str(error)):
        return (
            f'no batch of images has come for {float(found[1]):g} seconds, the timeout of the data '
            'loader: see whether the disk of the data answers, or give a longer '
            'train_dataloader.timeout'
        )
    return None


def end_passes(loader: DataLoader, begun: Any = None) -> None:
    """End the workers of a loader.

    The garbage collector would first remove their queues, so that they are not notified, and wait
    ten seconds for each. A worker that is killed meanwhile is no error: it is no longer needed, and
    the reason for the end of the pass remains the reported one.

    Args:
        begun: An unfinished pass over the loader.
    """
    # torch sets it for persistent workers; there is no public way to end them.
    kept = getattr(loader, '_iterator', None)
    for each in (kept, begun, getattr(begun, '_iterator', None)):
        if hasattr(each, '_shutdown_workers'):
            # torch raises it if a worker was killed, and still ends the others.
            with contextlib.suppress(RuntimeError):
                each._shutdown_workers()
    if kept is not None:
        loader._iterator = None


def end_stuck_processes() -> None:
    """Kill the remaining workers, for example if their disk does not answer. Python would wait for
    them forever at exit."""
    for process in multiprocessing.active_children():
        if process.daemon:
            # torch raises it when it notices the end of a worker of an abandoned loader.
            with contextlib.suppress(RuntimeError):
                process.kill()
                process.join(_LONGEST_END)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and its causes."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def without_idle_settings(section: dict[str, Any]) -> dict[str, Any]:
    """Return a loader's section of a config. With ``num_workers`` 0, settings for workers are
    removed, so that the number of workers can be changed by itself.

    Raises:
        InvalidArgument: its ``timeout`` is no number of seconds.

    Example:
        >>> without_idle_settings(dict(batch_size=2, num_workers=0, prefetch_factor=4))
        {'batch_size': 2, 'num_workers': 0}
    """
    if section.get('num_workers', 0):
        _require_seconds(section.get('timeout', 0))
        return section
    return {key: value for key, value in section.items() if key not in _OF_PROCESSES}


def _require_seconds(value: Any) -> None:
    if not is_number(value) or not 0 <= value < threading.TIMEOUT_MAX:
        raise InvalidArgument(
            f'timeout={value!r} of a data loader: give seconds, such as 300, or 0 to wait without '
            'end'
        )


def require_batches(loader: DataLoader) -> None:
    """Raise InvalidArgument if a pass over the data has no batch, because the last incomplete batch
    is dropped; or if training processes would get repeated images or uneven shares."""
    batches = loader.batch_sampler
    sampler = getattr(batches, 'sampler', loader.sampler)
    processes = getattr(sampler, 'world_size', 1)
    shuffled = getattr(sampler, 'shuffle', False)
    if shuffled and len(loader.dataset) < processes:
        raise InvalidArgument(
            f'{processes} processes for {len(loader.dataset)} images to train on: start as many '
            'processes as images or fewer, torchrun --nproc-per-node'
        )
    if shuffled and not getattr(sampler, 'round_up', True) and len(loader.dataset) % processes:
        raise InvalidArgument(
            f'round_up=False of the sampler: {processes} processes would train on uneven shares of '
            f'{len(loader.dataset)} images, so that some wait for others that have ended, and '
            'images of a step count unevenly: leave round_up out, which fills the shares up'
        )
    if isinstance(sampler, InfiniteSampler) or len(loader):
        return
    images, batch = len(sampler), getattr(batches, 'batch_size', loader.batch_size)
    raise InvalidArgument(
        f'{images} {"image" if images == 1 else "images"} on each device, fewer than a batch of '
        f'{batch}, and batches that are not full are left out (drop_last): give --batch-size '
        f'{max(images, 1)} or less, or more images'
    )
