"""Waiting for a full disk instead of ending a run."""

import contextlib
import errno
import os
import time
from collections.abc import Callable
from typing import Any

from mmengine.visualization import LocalVisBackend, Visualizer

from rexdense.errors import InvalidArgument
from rexdense.files.writing import appended_whole

_FULL = (errno.ENOSPC, errno.EDQUOT)
_MOST = 10**6


def is_full(error: BaseException | None) -> bool:
    """Return whether an error, or its cause, is a full disk or an exhausted quota, which others can
    fix while a run waits."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        error = error.__cause__
    return False


def minutes_of(value: Any) -> float:
    """Return the minutes of a setting.

    Raises:
        InvalidArgument: it is no number of minutes.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _MOST:
        raise InvalidArgument(f'wait_for_disk={value!r}: give minutes, such as 60, or 0')
    return value


class DiskWait:
    """Retries writes while the disk is full.

    Args:
        is_stopped: Returns whether the run is asked to stop, which ends the wait.

    Attributes:
        seconds: Longest wait for each write; 0 does not wait.
        pause: Seconds between two tries.
    """

    pause = 5.0

    def __init__(self, is_stopped: Callable[[], bool] = lambda: False) -> None:
        self.seconds, self.is_stopped = 0.0, is_stopped

    def write(self, write: Callable[[], Any], folder: str) -> Any:
        """Call ``write`` again while the disk is full, and return its result. ``write`` must undo
        what it has begun.

        Raises:
            OSError, UnwritableFile: raised by ``write``, also at the end of the wait.
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
        """Make the writers of logged values wait."""
        for backend in visualizer._vis_backends.values():
            if isinstance(backend, LocalVisBackend):
                backend._dump = _Dump(backend._dump, self)


class _Dump:
    """mmengine's writer of a line of values, which removes an incomplete line."""

    def __init__(self, write: Callable[..., None], disk: DiskWait) -> None:
        self.write, self.disk = write, disk

    def __call__(self, value_dict: dict, file_path: str, file_format: str) -> None:
        def write() -> None:
            with appended_whole(file_path):
                self.write(value_dict, file_path, file_format)

        self.disk.write(write, os.path.dirname(file_path))


def _say(sentence: str) -> None:
    """Print a sentence, because the disk of the log may be the full one."""
    with contextlib.suppress(OSError):
        print(sentence, flush=True)
