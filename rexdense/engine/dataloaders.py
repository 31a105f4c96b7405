"""Data loaders as rexdense's runner uses them."""

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

from rexdense.device import return_freed_memory
from rexdense.engine.resume.stopping import StopSignals, spare_workers, status_of
from rexdense.errors import InvalidArgument, LostWorker, ProcessLost

_OF_PROCESSES = ('multiprocessing_context', 'persistent_workers', 'prefetch_factor', 'timeout')
"""Arguments of torch's loader that it refuses where it has no processes."""
# torch's words, csrc/DataLoader.cpp and utils/data/dataloader.py.
_LOST = re.compile(
    r'DataLoader worker \(pid\(?s?\)? ?([\d, ]+)\) (?:is killed by signal: ([^.]*)|exited|has )'
)
_TIMED_OUT = re.compile(r'DataLoader timed out after ([\d.]+) seconds')
_LONGEST_END = 5
"""Seconds that a process is given to end after it was killed."""


class OneThread:
    """Let a loader process compute with one thread: it is one of several that share the cores with
    the training. It outlives the signal that asks the training to stop, and gives back what the
    training had in memory when it was forked: that of the validation comes after the first epoch.
    What rexdense changes of mmcv's transforms holds in one that was spawned, too.
    A batch that it cannot hand over ends it.

    Args:
        then: What the process is to begin with besides, called with its number.
    """

    def __init__(self, then: Callable[[int], Any] | None = None) -> None:
        self.then = then

    def __call__(self, worker: int) -> None:
        """Begin in the process of the number ``worker``."""
        torch.set_num_threads(1)
        cv2.setNumThreads(0)
        spare_workers()
        return_freed_memory()
        Queue._on_queue_feeder_error = staticmethod(_end_process)
        # Here, because a loader of other data does not need mmcv.
        with contextlib.suppress(ImportError):
            from rexdense.datasets.images.least_size import leave_a_pixel
            from rexdense.datasets.images.memory import leave_in_order

            leave_a_pixel()
            leave_in_order()
        if self.then is not None:
            self.then(worker)


def _end_process(error: Exception, batch: Any) -> None:
    """End a process with a batch that cannot be handed over, where shared memory is used up for
    example: Python drops it, and the training would wait for it without end."""
    os._exit(1)


@contextlib.contextmanager
def as_lost_worker(signals: StopSignals | None = None) -> Iterator[None]:
    """Turn torch's error for a loader process that was killed, or that exceeded the loader's
    ``timeout``, into one line. torch may raise it anywhere, so causes of other errors count too.

    Args:
        signals: The stop signals of the run, which all its processes may have received.

    Raises:
        LostWorker: a loader process was lost.
        ProcessLost: the same, while the run was asked to stop: a spawned process that is still
            starting ends of the signal as well.
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
    """Return what is said of an error, None of one of something else."""
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
    """End the processes of a loader. Left to the garbage collector, which takes their queues away
    first, they would hear nothing of it: it waits for each for ten seconds. One that is killed
    meanwhile is no fault: nothing more is wanted of it, and what ended the pass stays told.

    Args:
        begun: A pass over the loader that was not made to its end.
    """
    # Set by torch where processes persist; there is no public way to end them.
    kept = getattr(loader, '_iterator', None)
    for each in (kept, begun, getattr(begun, '_iterator', None)):
        if hasattr(each, '_shutdown_workers'):
            # torch raises it where one was killed, and ends the others all the same.
            with contextlib.suppress(RuntimeError):
                each._shutdown_workers()
    if kept is not None:
        loader._iterator = None


def end_stuck_processes() -> None:
    """Kill the loader processes that are still there, because their disk does not answer for
    example: Python waits for them as it ends, without end."""
    for process in multiprocessing.active_children():
        if process.daemon:
            # torch raises it as it notes the end of a process of a loader that was left.
            with contextlib.suppress(RuntimeError):
                process.kill()
                process.join(_LONGEST_END)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and those in whose handling it was raised."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def without_idle_settings(section: dict[str, Any]) -> dict[str, Any]:
    """Return a loader's section of a config without what its processes need, where it has none: so
    that the number of processes can be changed alone.

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
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not known or not 0 <= value < threading.TIMEOUT_MAX:
        raise InvalidArgument(
            f'timeout={value!r} of a data loader: give seconds, such as 300, or 0 to wait without '
            'end'
        )


def require_batches(loader: DataLoader) -> None:
    """Raise InvalidArgument where a pass over the data has no batch, because the last one, which is
    not full, is left out; or where processes that train would be given each other's images again,
    or uneven shares."""
    batches = loader.batch_sampler
    sampler = getattr(batches, 'sampler', loader.sampler)
    processes = getattr(sampler, 'world_size', 1)
    if getattr(sampler, 'shuffle', False) and len(loader.dataset) < processes:
        raise InvalidArgument(
            f'{processes} processes for {len(loader.dataset)} images to train on: start as many '
            'processes as images or fewer, torchrun --nproc-per-node'
        )
    if (
        getattr(sampler, 'shuffle', False)
        and not getattr(sampler, 'round_up', True)
        and len(loader.dataset) % processes
    ):
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
