"""Stopping a run by a signal: the current step is finished, and the state is saved."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook

from rexdense.stop_signal import STOPPED

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopAsked(BaseException):
    """Raised to leave the running code because the run is asked to stop; ``number`` is the signal.

    Like KeyboardInterrupt it is not an Exception: a data set that skips damaged images would take
    it for a damaged image.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def status_of(number: int) -> int:
    """Return the exit status of a program that a signal has stopped: that of a keyboard interrupt
    for SIGINT, else 75."""
    return 130 if number == signal.SIGINT else STOPPED


class RunStopped(Exception):
    """Raised after a signal has stopped a run and its state is saved.

    Attributes:
        number: Number of the signal.
        iteration: Number of finished steps.
        file: The checkpoint; None if it existed before.
    """

    def __init__(self, number: int, iteration: int, file: Any) -> None:
        super().__init__(number, iteration, file)
        self.number, self.iteration, self.file = number, iteration, file

    @property
    def status(self) -> int:
        """Exit status of the program."""
        return status_of(self.number)

    def __str__(self) -> str:
        name = signal.Signals(self.number).name
        return (
            f'stopped by {name} after iteration {self.iteration}, saved in {self.file}: '
            'go on with --resume'
        )


class StopSignals:
    """Context manager that records SIGTERM and SIGINT while a run trains; a second SIGINT ends it
    at once.

    Attributes:
        number: Number of the received signal; 0 before.
    """

    def __init__(self) -> None:
        self.number, self._may_raise, self._process = 0, False, os.getpid()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> 'StopSignals':
        self._process = os.getpid()
        # Only the main thread may set handlers. A signal that the shell has set to be ignored, such
        # as the keyboard interrupt of a background process, stays ignored.
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.number and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = self.number or number
        # A dataloader worker that has just been forked has this handler, too.
        if self._may_raise and os.getpid() == self._process:
            self._may_raise = False
            raise StopAsked(self.number)

    def begin_raising(self) -> None:
        """Raise StopAsked now if a signal was received, and from now on when one arrives."""
        self._may_raise = True
        self.raise_if_asked()

    def end_raising(self) -> None:
        """Only record signals from now on."""
        self._may_raise = False

    def raise_if_asked(self) -> None:
        """Raise StopAsked if a signal was received."""
        if self.number:
            self._may_raise = False
            raise StopAsked(self.number)

    @contextlib.contextmanager
    def raising(self) -> Iterator[None]:
        """Raise StopAsked anywhere in the block when a signal arrives, and again at its end: other
        code may have caught the exception within."""
        try:
            self.begin_raising()
            yield
        finally:
            self.end_raising()
        self.raise_if_asked()


class LeaveValidation(Hook):
    """Leave a validation anywhere if the run is asked to stop; it is repeated after the resume.

    With several processes, each leaves it only between batches, so that a lost process is reported
    by the exception of the wait for it.
    """

    # The last hook before a validation, after EMAHook has swapped the weights.
    priority = 'LOWEST'

    def before_val_epoch(self, runner: Any) -> None:
        """Begin the part that may be left; raise StopAsked if the run is already asked to stop."""
        if not runner.distributed:
            runner.stop_signals.begin_raising()

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Raise StopAsked if asked to stop; after the last batch, begin the part that may be left,
        also with several processes."""
        runner.stop_signals.raise_if_asked()
        if batch_idx + 1 == len(runner.val_dataloader):
            runner.stop_signals.begin_raising()


class EndLeaving(Hook):
    """End the part that :class:`LeaveValidation` begins."""

    # The first hook after a validation.
    priority = 'VERY_HIGH'

    def after_val_epoch(self, runner: Any, metrics: dict | None = None) -> None:
        """End it; raise StopAsked if the run is asked to stop and other code has caught it."""
        runner.stop_signals.end_raising()
        runner.stop_signals.raise_if_asked()


def arriving(runner: Any, batches: Iterator) -> Iterator:
    """Yield the batches of a pass over the data.

    A single process leaves the wait for a batch if it is asked to stop: if a disk does not answer,
    the wait never ends. Several processes stop only after a step that all of them make. mmengine's
    own runner has no stop signals.

    Raises:
        StopAsked: the run is asked to stop.
    """
    signals = None if runner.distributed else getattr(runner, 'stop_signals', None)
    guarded = contextlib.nullcontext if signals is None else signals.raising
    while True:
        with guarded():
            try:
                batch = next(batches)
            except StopIteration:
                return
        yield batch


def stop_if_asked(runner: Any) -> None:
    """Raise StopAsked if any process of a run is asked to stop; all processes have to call it.

    Hooks with long work after an epoch call it between the parts of this work, after they have
    restored what they changed. A resumed run repeats the work from its beginning.
    """
    signals = getattr(runner, 'stop_signals', None)
    if signals is not None:
        number, _ = agreed(runner, signals.number, False)
        if number:
            raise StopAsked(number)


def agreed(runner: Any, number: int, is_due: bool) -> tuple[int, bool]:
    """Return the signal that any process has received, and whether any process has a checkpoint
    due, so that all save and stop after the same step."""
    if not runner.distributed:
        return number, is_due
    noted = torch.tensor([number, int(is_due)])
    all_reduce(noted, 'max')
    return int(noted[0]), bool(noted[1])


def spare_workers() -> None:
    """Make a dataloader worker survive one SIGTERM. Schedulers send it to all processes of a run,
    and torch ends the run during a step if a worker dies."""
    signal.signal(signal.SIGTERM, _once)


def _once(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
