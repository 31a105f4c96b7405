"""Waiting for a full disk instead of ending a run."""

import contextlib
import errno
import os
import time
from collections.abc import Callable
from typing import Any

from mmengine.visualization import LocalVisBackend, Visualizer

from rexdense.errors import InvalidArgument
from rexdense.files import appended_whole

_FULL = (errno.ENOSPC, errno.EDQUOT)
_MOST = 10**6


def is_full(error: BaseException | None) -> bool:
    """Return whether an error, or what it was raised from, says that a disk is full or a quota used
    up: what others can mend while a run waits."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__
    return False


def minutes_of(value: Any) -> float:
    """Return how many minutes a setting says.

    Raises:
        InvalidArgument: it says none.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _MOST:
        raise InvalidArgument(f'wait_for_disk={value!r}: give minutes, such as 60, or 0')
    return value


class DiskWait:
    """Writes what a full disk refuses again, until it takes it.

    Args:
        is_stopped: Returns whether the run is asked to stop, which ends the wait.

    Attributes:
        seconds: How long it waits at most for each write; 0, not at all.
        pause: Seconds between two tries.
    """

    pause = 5.0

    def __init__(self, is_stopped: Callable[[], bool] = lambda: False) -> None:
        self.seconds, self.is_stopped = 0.0, is_stopped

    def write(self, write: Callable[[], Any], folder: str) -> Any:
        """Return what ``write`` returns, which is called again while the disk is full; what it has
        begun it must take back itself.

        Raises:
            OSError, UnwritableFile: as ``write`` raises it, at the end of the wait too.
        """
        began = None
        while True:
            try:
                found = write()
            except Exception as error:
                now = time.monotonic()
                began = now if began is None else began
                if not is_full(error) or now - began >= self.seconds or self.is_stopped():
                    raise
                if now == began:
                    _say(
                        f'{folder}: no space left; the run waits for up to '
                        f'{self.seconds / 60:g} minutes: make room, or end it with SIGTERM'
                    )
            else:
                if began is not None:
                    _say(f'{folder}: written after {(time.monotonic() - began) / 60:.1f} minutes')
                return found
            time.sleep(self.pause)

    def guard(self, visualizer: Visualizer) -> None:
        """Let the files of logged values wait."""
        for backend in visualizer._vis_backends.values():
            if isinstance(backend, LocalVisBackend):
                backend._dump = _Dump(backend._dump, self)


class _Dump:
    """mmengine's writer of a line of values, whose part of a line that was refused goes."""

    def __init__(self, write: Callable[..., None], disk: DiskWait) -> None:
        self.write, self.disk = write, disk

    def __call__(self, value_dict: dict, file_path: str, file_format: str) -> None:
        def write() -> None:
            with appended_whole(file_path):
                self.write(value_dict, file_path, file_format)

        self.disk.write(write, os.path.dirname(file_path))


def _say(sentence: str) -> None:
    """Tell it where the log cannot: its disk may be the one that is full."""
    with contextlib.suppress(OSError):
        print(sentence, flush=True)
