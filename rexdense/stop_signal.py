"""SIGTERM before there is anything to save, and the exit status of a run that can be restarted."""

import signal
import threading
from types import FrameType

STOPPED = 75
"""Exit status of a run that was stopped by SIGTERM and can be resumed with ``--resume``:
EX_TEMPFAIL of sysexits.h, "temporary failure, the user is invited to retry"."""


class StoppedEarly(BaseException):
    """SIGTERM arrived while a program had nothing to save, for example during setup."""


def stop_with_status() -> None:
    """Raise StoppedEarly on SIGTERM in this process, until another handler is set, as a run does
    while it trains.

    If the signal is ignored or already has a handler, nothing changes.
    """
    if (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    ):
        signal.signal(signal.SIGTERM, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    # Only once, so that the cleanup is not interrupted.
    signal.signal(number, signal.SIG_IGN)
    raise StoppedEarly
