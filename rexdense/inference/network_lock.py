"""The lock of a network that several threads share, also in forked and spawned processes."""

import logging
import os
import threading
from typing import Any

import torch
from mmengine.logging import print_log

_is_told = True


class NetworkLock:
    """A lock for one thread at a time. A copy, also in another process, is a lock of its own.

    A process that was forked after this module was imported begins with one thread of torch. The
    other threads of the parent do not exist there, and torch would wait for them forever. The first
    use of a lock says so.
    """

    def __init__(self) -> None:
        # By process: a thread of the parent may hold the parent's lock.
        self._locks: dict[int, threading.Lock] = {}

    def __enter__(self) -> None:
        _tell_of_one_thread()
        self._locks.setdefault(os.getpid(), threading.Lock()).acquire()

    def __exit__(self, *_: object) -> None:
        self._locks[os.getpid()].release()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


def _use_one_thread() -> None:
    """Set torch to one thread in the thread that has forked: only this one would wait."""
    global _is_told
    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)
        _is_told = False


def _tell_of_one_thread() -> None:
    """Say once per process that torch was set to one thread."""
    global _is_told
    if not _is_told:
        _is_told = True
        print_log(
            'torch computes in one thread in this process, which was forked: the threads of its '
            "parent do not exist here. Processes started with 'spawn' have threads of their own",
            'current',
            logging.WARNING,
        )


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_use_one_thread)
