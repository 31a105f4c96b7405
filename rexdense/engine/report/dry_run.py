"""Dry run: the time and memory of the first steps of a training."""

import resource
import sys
import time

from mmengine.device import get_device, get_max_cuda_memory
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapperDict

from rexdense.engine.report.closing_line import duration
from rexdense.engine.runner import Runner

STEPS = 2
"""The first step also sets things up, so the time of the second counts."""
STEPS_ADDED_UP = 3
"""With gradient accumulation, the memory of the third step counts: moments and gradients exist
then."""
GIB = 2**30


class StepsDone(Exception):
    """Raised within the training loop after the first steps, to end the training."""


class FirstSteps(Hook):
    """End a training after its first steps, before anything is saved, and record their times.

    Attributes:
        seconds: Per step: the time of waiting for its batch, and of computing.
        steps: Number of steps of the whole training.

    Raises:
        StepsDone: the steps are done.
        KeyboardInterrupt: a signal has stopped it before.
    """

    # Before hooks that validate and save, after the hook that makes the step.
    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self.seconds: list[tuple[float, float]] = []
        self.steps = 0
        self._began = self._loaded = 0.0
        self._wanted = STEPS

    def before_train(self, runner) -> None:
        """Skip a pending validation, and make the first batch the last of an optimizer step, which
        creates the moments."""
        runner.train_loop.validated = True
        wrapper = runner.optim_wrapper
        for part in wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]:
            if part._accumulative_counts > 1:
                part._inner_count = part._accumulative_counts - 1
                self._wanted = STEPS_ADDED_UP

    def before_train_epoch(self, runner) -> None:
        """Start the time of waiting for the first batch."""
        self.steps = runner.max_iters - runner.iter
        self._began = time.perf_counter()

    def before_train_iter(self, runner, batch_idx: int, data_batch=None) -> None:
        """Record that the batch has arrived."""
        self._loaded = time.perf_counter()

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """End the training, or start the time of waiting for the next batch."""
        # Reading the loss waits for the device.
        runner.message_hub.get_scalar('train/loss').current()
        done = time.perf_counter()
        self.seconds.append((self._loaded - self._began, done - self._loaded))
        self._began = done
        if runner.stop_signals.number:
            raise KeyboardInterrupt
        ends = self.end_of_epoch(runner.train_dataloader, batch_idx)
        if len(self.seconds) == self._wanted or ends or self.is_last_train_iter(runner):
            raise StepsDone


def dry_run_lines(runner: Runner, first_steps: FirstSteps) -> list[str]:
    """Return lines with the times of the first steps of a run, and the expected time of the
    training."""
    loader = runner.train_dataloader
    seconds, steps = first_steps.seconds, first_steps.steps
    wait, compute = seconds[-1]
    shown = ' and '.join(f'{first + second:.2f} s' for first, second in seconds)
    once = '; a step after the first is usually faster' if len(seconds) < STEPS else ''
    images = f'{loader.batch_size} images'
    images += f' on each of {get_world_size()} devices' if get_world_size() > 1 else ''
    return [
        f'Dry run: {len(seconds)} of {steps} steps of {images}, {get_device()}; nothing is kept',
        f'time     {shown} a step, {wait:.2f} s of the last waiting for images{once}',
        f'memory   {_memory()}',
        f'in all   about {duration(steps * (wait + compute))} for {steps} steps; validation and '
        'checkpoints come on top',
    ]


def _memory() -> str:
    """Return the peak memory of the accelerator and of the process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Bytes on macOS, KiB elsewhere (getrusage(2)).
    process = peak / GIB * (1 if sys.platform == 'darwin' else 1024)
    said = f'{process:.1f} GiB of the process at most, without those that load images'
    if get_device() == 'cuda':
        return f'{get_max_cuda_memory() / 1024:.1f} GiB of the GPU at most; {said}'
    return said
