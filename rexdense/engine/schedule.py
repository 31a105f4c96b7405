"""The learning-rate schedule of a run: limited warm-ups, and replay up to any step."""

import warnings
from collections.abc import Sequence
from typing import Any

from rexdense.engine.config.load import class_name

WARM_UP_SHARE = 10
"""A warm-up takes at most one step in this many."""

_LEAST_WARM_UP = 2
"""With a single step, mmengine's LinearLR never reaches the full rate."""


def replay(
    schedulers: Sequence[Any], iterations: int, epochs: int = 0, epoch_length: int = 0
) -> None:
    """Step newly built schedulers as often as a run has, in the order of the run.

    mmengine's schedulers compute each value from the one before, so the values of a schedule can
    only be found by stepping. Schedulers that depend on a metric are left out, see
    :func:`rexdense.engine.resume.continuing.continue_run`.

    Args:
        iterations: Optimizer steps so far.
        epochs: Finished epochs of ``epoch_length`` iterations, possibly followed by further
            iterations; 0 for a run that counts iterations.
    """
    schedulers = [each for each in schedulers if not getattr(each, 'need_val_args', False)]
    by_epoch = [each for each in schedulers if each.by_epoch]
    by_iteration = [each for each in schedulers if not each.by_epoch]
    with warnings.catch_warnings():
        # The optimizer has stepped before each of these.
        warnings.filterwarnings('ignore', message='Detected call of `scheduler.step')
        begun = iterations - epochs * epoch_length
        for epoch, length in enumerate([*[epoch_length] * epochs, begun]):
            for _ in range(length):
                for scheduler in by_iteration:
                    scheduler.step()
            for scheduler in by_epoch if epoch < epochs else ():
                scheduler.step()


def shorten_warm_ups(
    schedulers: Sequence[dict[str, Any]], epoch_length: int, max_epochs: int, max_iters: int
) -> tuple[list[dict[str, Any]], list[str]]:
    """Limit warm-ups to a tenth of the run. Return the schedulers and sentences about the changes.

    A warm-up is a scheduler that begins at 0, ends, and raises the rate. A warm-up of less than two
    steps is removed.

    Args:
        schedulers: Sections of a config.
        epoch_length: Iterations per epoch.
    """
    kept, said = [], []
    for scheduler in schedulers:
        if not _is_warm_up(scheduler):
            kept.append(scheduler)
            continue
        by_epoch = scheduler.get('by_epoch', True)
        in_iterations = not by_epoch or scheduler.get('convert_to_iter_based', False)
        unit = 'steps' if in_iterations else 'epochs'
        total = max_iters if in_iterations else max_epochs
        end = scheduler['end'] * (epoch_length if by_epoch and in_iterations else 1)
        most = total // WARM_UP_SHARE
        if _LEAST_WARM_UP <= end <= most:
            kept.append(scheduler)
        elif min(most, end) < _LEAST_WARM_UP:
            said.append(f'no warm-up: the {end} {unit} of the config, a run of {total}')
        else:
            changed = {**scheduler, 'end': most, 'by_epoch': not in_iterations}
            changed.pop('convert_to_iter_based', None)
            kept.append(changed)
            said.append(f'warm-up of {most} {unit}, a tenth of the run, instead of {end}')
    return kept, said


def _is_warm_up(scheduler: dict[str, Any]) -> bool:
    kind = class_name(scheduler)
    if scheduler.get('begin', 0) or 'end' not in scheduler or 'Momentum' in kind:
        return False
    if kind.startswith('Linear'):
        return scheduler.get('start_factor', 1 / 3) < scheduler.get('end_factor', 1.0)
    if kind.startswith('Constant'):
        return scheduler.get('factor', 1 / 3) < 1
    return 'Warmup' in kind
