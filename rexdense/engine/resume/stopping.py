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
    """What is being done is left, because the run is asked to stop; ``number`` is the signal's.

    As an interruption from the keyboard it is no Exception, which a data set that passes over
    damaged images might take for the fault of one.
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
        number: Of the signal that has come, 0 before.
    """

    def __init__(self) -> None:
        self.number, self._may_raise, self._process = 0, False, os.getpid()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> 'StopSignals':
        self._process = os.getpid()
        # Python lets the main thread alone set them. Where a shell has a run ignore one, as one in
        # the background the interruption from the keyboard, it stays ignored.
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
        # A loader process that has just begun has this handler, too.
        if self._may_raise and os.getpid() == self._process:
            self._may_raise = False
            raise StopAsked(self.number)

    def begin_raising(self) -> None:
        """Let the running code be left anywhere from here on; raise StopAsked where a signal has
        come before, and in the moment in which one comes."""
        self._may_raise = True
        self.raise_if_asked()

    def end_raising(self) -> None:
        """Let it be left no more."""
        self._may_raise = False

    def raise_if_asked(self) -> None:
        """Raise StopAsked where a signal has come."""
        if self.number:
            self._may_raise = False
            raise StopAsked(self.number)

    @contextlib.contextmanager
    def raising(self) -> Iterator[None]:
        """Let the block be left anywhere; raise StopAsked at its end, too, where a signal has come:
        code of others may have caught what was raised within."""
        try:
            self.begin_raising()
            yield
        finally:
            self.end_raising()
        self.raise_if_asked()


class LeaveValidation(Hook):
    """Let a validation, which only measures, be left anywhere when the run is asked to stop: it is
    made once more when the run goes on.

    Of several processes each leaves its batches at their ends: where another one was lost, what the
    wait for it raises is told instead.
    """

    # The last of the hooks before a validation: EMAHook gives the model other weights.
    priority = 'LOWEST'

    def before_val_epoch(self, runner: Any) -> None:
        """Begin the part that may be left; raise StopAsked where the run is to stop by now."""
        if not runner.distributed:
            runner.stop_signals.begin_raising()

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Begin it, too, after the last batch; raise StopAsked likewise."""
        runner.stop_signals.raise_if_asked()
        if batch_idx + 1 == len(runner.val_dataloader):
            runner.stop_signals.begin_raising()


class EndLeaving(Hook):
    """End the part that :class:`LeaveValidation` begins."""

    # The first of the hooks after a validation.
    priority = 'VERY_HIGH'

    def after_val_epoch(self, runner: Any, metrics: dict | None = None) -> None:
        """End it; raise StopAsked where the run is to stop, and code of others has caught it."""
        runner.stop_signals.end_raising()
        runner.stop_signals.raise_if_asked()


def arriving(runner: Any, batches: Iterator) -> Iterator:
    """Yield the batches of a pass over the data.

    The wait for one is left where the run is asked to stop: it has no end where a disk does not
    answer. Several processes stop after a step, which all of them make. mmengine's own runner is
    never asked.

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
    """Raise StopAsked where any process of a run is asked to stop; all of them have to call it.

    Hooks that work for long after an epoch call it between two parts of their work, having put back
    what they have changed: the run goes on with that work from its beginning.
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
