"""Loss of one of several training processes, and the restart by torchrun.

torchrun's store outlives the processes. It records what happened before a restart, and which
process has already reported the loss.
"""

import contextlib
import os
import re
import signal
import threading
from collections.abc import Iterator
from datetime import timedelta

import torch
from torch import distributed

from rexdense.arch.checks import is_number
from rexdense.device.rendezvous import ROUND, launcher_store
from rexdense.errors import InvalidArgument, ProcessLost, first_line

DEFAULT_TIMEOUT = 1800
"""Seconds for which a process waits for the others; torch's default for gloo. Meanwhile one process
may evaluate a validation by itself, which takes minutes for COCO."""

_ENV_MOST_RESTARTS = 'TORCHELASTIC_MAX_RESTARTS'

# Messages of gloo, nccl and the store about a process that is gone or does not answer.
_GONE = re.compile(
    'closed by peer|reset by peer|broken pipe|timed out|timeout|pair closure|connection refused|'
    'remote process exited|network error|failed to recv',
    re.IGNORECASE,
)


def may_restart() -> bool:
    """Return whether torchrun restarts the processes after one has failed.

    Raises:
        InvalidArgument: torchrun's variable is not a number.
    """
    text = os.environ.get(_ENV_MOST_RESTARTS, '0')
    if not text.isdecimal():
        raise InvalidArgument(
            f'{_ENV_MOST_RESTARTS}={text!r}: give a whole number, or start the processes with '
            'torchrun, which sets it'
        )
    return int(text) > 0


def note_begun(work_dir: str) -> None:
    """Record for restarted processes that a run has begun in a folder, so that they resume it."""
    store = launcher_store()
    if store is not None:
        store.set(_key(work_dir), '1')


def has_begun(work_dir: str) -> bool:
    """Return whether a process before the restart has begun a run in a folder."""
    store = launcher_store() if may_restart() else None
    return store is not None and store.check([_key(work_dir)])


def _key(work_dir: str) -> str:
    return f'rexdense/begun/{os.path.realpath(work_dir)}'


@contextlib.contextmanager
def as_process_lost() -> Iterator[None]:
    """Turn errors of a lost process into a ProcessLost with a message of one line. One process
    prints it.

    Raises:
        ProcessLost: another process has ended, or has not answered within the timeout.
        SystemExit: the same, if another process prints the line.
    """
    try:
        yield
    except RuntimeError as error:
        if not _is_loss(error):
            raise
        told = _told_before()
        if told is not None and threading.current_thread() is threading.main_thread():
            # torchrun ends the remaining processes within a tenth of a second; print the line
            # first.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if told:
            raise SystemExit(ProcessLost.exit_status) from error
        rank, world = distributed.get_rank(), distributed.get_world_size()
        lost = ProcessLost(
            f'process {rank} of {world} has lost another one ({_short(error)}): it has ended, or '
            'did not answer in the time of env_cfg.dist_cfg.timeout; what ended it stands above, '
            'or was a kill or the machine; go on with --resume'
        )
        lost.tells_at_once = told is not None
        raise lost from error


def _short(error: BaseException) -> str:
    """Return the error message of a backend without its source locations."""
    return re.sub(r'^\[\S+?:\d+\] ', '', first_line(error))[:160]


def _is_loss(error: RuntimeError) -> bool:
    """Return whether an error says that another process is gone or does not answer."""
    if not distributed.is_initialized() or distributed.get_world_size() == 1:
        return False
    known = isinstance(error, torch.distributed.DistError) or 'gloo' in str(error)
    return known and bool(_GONE.search(str(error)))


def _told_before() -> bool | None:
    """Return whether another process reports the loss; None if this cannot be known."""
    store = launcher_store()
    if store is None:
        return None
    try:
        return store.add(f'rexdense/lost/{store.get(ROUND).decode()}', 1) > 1
    except RuntimeError:
        return None


def waiting_time(seconds: object) -> timedelta:
    """Return the timeout ``env_cfg.dist_cfg.timeout`` for which a process waits for the others.
    Raise InvalidArgument unless it is a number of seconds above 0."""
    value = DEFAULT_TIMEOUT if seconds is None else seconds
    if not is_number(value) or not 0 < value < 10**7:
        raise InvalidArgument(
            f'env_cfg.dist_cfg.timeout={value!r}: give seconds, above 0; a process that measures '
            'a validation alone must be ready within them'
        )
    return timedelta(seconds=float(value))
