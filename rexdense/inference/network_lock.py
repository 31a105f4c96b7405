"""The lock of a network that several threads share, also in forked and spawned processes."""

import logging
import os
import threading
from typing import Any

import torch
from mmengine.logging import print_log

_imported_in = os.getpid()


class NetworkLock:
    """A lock for one thread at a time. A copy, also in another process, is a lock of its own.

    In a process that was forked after this module was imported, torch is set to one thread when a
    lock is made or first taken. The other threads of the parent do not exist there, and torch would
    wait for them forever.
    """

    def __init__(self) -> None:
        _use_one_thread_if_forked()
        self._lock, self._process = threading.Lock(), os.getpid()

    def __enter__(self) -> None:
        if self._process != os.getpid():
            self.__init__()  # a thread of the parent may hold the lock
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


def _use_one_thread_if_forked() -> None:
    """Set torch to one thread, once per process; later settings of the user stay."""
    global _imported_in
    if os.getpid() == _imported_in:
        return
    _imported_in = os.getpid()
    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)
        print_log(
            'torch computes in one thread in this process, which was forked: the threads of its '
            "parent do not exist here. Processes started with 'spawn' have threads of their own",
            'current',
            logging.WARNING,
        )
