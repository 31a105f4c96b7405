"""SIGTERM before there is anything to save, and the status of a run that can be started again."""

import signal
import threading
from types import FrameType

STOPPED = 75
"""Status of a run that SIGTERM has stopped and ``--resume`` goes on with: EX_TEMPFAIL of
sysexits.h, "temporary failure, the user is invited to retry"."""


class StoppedEarly(BaseException):
    """SIGTERM came while a program had nothing to save: it was still being built, for example."""


def stop_with_status() -> None:
    """Let SIGTERM raise StoppedEarly in this process from here on, until something else waits for
    it, as a run does while it trains.

    Where the signal is ignored, or something waits for it already, nothing changes.
    """
    if (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    ):
        signal.signal(signal.SIGTERM, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    # Once, so that what is tidied up on the way out is done.
    signal.signal(number, signal.SIG_IGN)
    raise StoppedEarly
