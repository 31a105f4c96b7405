"""Stopping a run by a signal: the current step is finished, and the state is saved."""

import signal
import threading
from types import FrameType
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook

from rexdense.stop_signal import STOPPED

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopAsked(Exception):
    """Raised during a validation if the run is asked to stop; ``number`` is that of the signal."""

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
        may_raise: Whether the running code may be interrupted anywhere, such as the evaluation of
            metrics.
    """

    def __init__(self) -> None:
        self.number, self.may_raise = 0, False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> 'StopSignals':
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
        if self.may_raise:
            self.may_raise = False
            raise StopAsked(self.number)


class StopWithinValidation(Hook):
    """Leave a validation if the run is asked to stop; it is repeated after the resume.

    The evaluation of metrics, which can take minutes, is interrupted anywhere; the batches before
    it only after each batch.
    """

    # The first hook after a validation.
    priority = 'VERY_HIGH'

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Leave the validation after a batch.

        Raises:
            StopAsked: the run is asked to stop.
        """
        signals = runner.stop_signals
        if signals.number:
            raise StopAsked(signals.number)
        signals.may_raise = batch_idx + 1 == len(runner.val_dataloader)

    def after_val_epoch(self, runner: Any, metrics: dict | None = None) -> None:
        """End the part that may be interrupted anywhere."""
        runner.stop_signals.may_raise = False


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
