"""Checkpoints that are kept: written before older ones go, and between those of the schedule."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook

from rexdense.checkpoint.formats.reading import POINTER
from rexdense.engine.resume.checkpoints import STEP, checkpoints_of_runs
from rexdense.engine.resume.full_disk import minutes_of
from rexdense.errors import InvalidArgument
from rexdense.files import atomic_write
from rexdense.registry import HOOKS

KEPT_STEPS = 2
"""Checkpoints between those of the schedule: two, so that one is left if the other is damaged."""

_STEP_NAME = STEP.partition('{')[0]
_EVERY = re.compile(r'(\d{1,10})\s*(i|min)')


class Every(NamedTuple):
    """The interval of checkpoints besides those of the schedule: by steps, or by the clock."""

    steps: int = 0
    seconds: float = 0

    @classmethod
    def parse(cls, text: str) -> 'Every':
        """Return the interval that 500i (steps) or 10min states.

        Raises:
            InvalidArgument: it says neither.

        Example:
            >>> Every.parse('500i'), Every.parse('10min').seconds
            (Every(steps=500, seconds=0), 600)
        """
        found = _EVERY.fullmatch(str(text).strip())
        number = int(found[1]) if found else 0
        if not 0 < number < 10**9:
            raise InvalidArgument(f'{text!r}: give steps, such as 500i, or minutes, such as 10min')
        return cls(steps=number) if found[2] == 'i' else cls(seconds=number * 60)


class StepSaver:
    """When the next checkpoint besides those of the schedule is due.

    Args:
        every: The interval; None, never.
    """

    def __init__(self, every: Every | None = None) -> None:
        self.every = every or Every()
        self._last = time.monotonic()

    def is_due(self, iteration: int) -> bool:
        """Return whether one is due after this many steps."""
        steps, seconds = self.every
        waited = time.monotonic() - self._last
        return bool((steps and iteration % steps == 0) or (seconds and waited >= seconds))

    def saved(self) -> None:
        """Begin the time to the next."""
        self._last = time.monotonic()


def save_step(runner: Any) -> Path:
    """Save where a run stands, in all its processes, unless a checkpoint of this place is there;
    return its file.

    Raises:
        UnwritableFile: it cannot be written.
    """
    loop, folder = runner.train_loop, Path(runner.work_dir)
    if not runner.is_saved:
        meta = dict(epoch=loop.epoch, iter=loop.iter)
        name = STEP.format(loop.iter)
        runner.logger.info(f'Saving checkpoint at {loop.iter} iterations')
        runner.save_checkpoint(str(folder), name, meta=meta, by_epoch=False)
        if is_main_process():
            _point_to(runner, folder / name)
            _keep_steps(folder, KEPT_STEPS, loop.iter)
    return runner.last_saved


def _point_to(runner: Any, file: str | Path) -> None:
    pointer = Path(runner.work_dir, POINTER)
    runner.disk.write(
        lambda: atomic_write(pointer, str(file).encode(), overwrite=True), runner.work_dir
    )


def _keep_steps(work_dir: Path, number: int, made: int) -> None:
    """Delete the checkpoints between those of the schedule but for the last ones.

    They go by their steps, not by their times: clocks are set back, and differ between machines.
    Those past the steps that the run has made are of an earlier start, which it did not go on from,
    or of smaller batches: all of them go, or a next start would take them for the newest.

    Args:
        made: The steps that the run has made.
    """
    steps = sorted(
        (int(path.stem.removeprefix(_STEP_NAME)), path)
        for path in checkpoints_of_runs(work_dir)
        if path.name.startswith(_STEP_NAME)
    )
    past = sum(step > made for step, _ in steps)
    kept = steps[: len(steps) - past][-number:] if number else []
    for step in steps:
        if step not in kept:
            step[1].unlink(missing_ok=True)


class _RemovedLater:
    """mmengine's file backend whose files are removed once those that replace them are there.

    Those of another folder stay: a run that goes on from the checkpoint of one knows its best.

    Args:
        backend: mmengine's.
        folder: Of the run's checkpoints.
    """

    def __init__(self, backend: Any, folder: str) -> None:
        self.backend, self.folder = backend, folder
        self.due: list[tuple[Callable[[str], None], str]] = []

    def remove(self, path: str) -> None:
        self._note(self.backend.remove, path)

    def rmtree(self, path: str) -> None:
        self._note(self.backend.rmtree, path)

    def _note(self, remove: Callable[[str], None], path: str) -> None:
        if os.path.dirname(os.path.abspath(path)) == os.path.abspath(self.folder):
            self.due.append((remove, path))

    def flush(self, *written: str) -> None:
        """Remove what is due, but for files that were written under the same name."""
        for remove, path in self.due:
            if path not in written and self.backend.exists(path):
                remove(path)
        self.due.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)


@HOOKS.register_module(name='CheckpointHook')
class KeepCheckpoints(CheckpointHook):
    """mmengine's CheckpointHook, which deletes an older checkpoint before the newer one is whole,
    as one that deletes it afterwards, and that saves between those of the schedule as well.

    Args:
        every: How often besides, such as '500i' or '10min'; see :class:`Every`.
        wait_for_disk: Minutes that the run waits at most where the disk is full, for each file; see
            :class:`rexdense.engine.resume.full_disk.DiskWait`.
        settings: As for mmengine's.

    Raises:
        InvalidArgument: ``every`` or ``wait_for_disk`` is none; or, once training begins,
            ``out_dir`` or ``filename_tmpl`` puts checkpoints where no run looks for them.
    """

    def __init__(
        self,
        *args: Any,
        every: str | None = None,
        wait_for_disk: float = 0,
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self.every = None if every is None else Every.parse(every)
        self.wait_for_disk = minutes_of(wait_for_disk)
        self._is_validating, self._again = False, None

    def before_train(self, runner: Any) -> None:
        """Prepare the folder, and begin the time to the first checkpoint."""
        stated = self.out_dir
        super().before_train(runner)
        _require_known_places(self, stated, runner.work_dir)
        self.file_backend = _RemovedLater(self.file_backend, self.out_dir)
        runner.step_saver = StepSaver(self.every)
        runner.disk.seconds = 60 * self.wait_for_disk

    def _save_checkpoint_with_step(self, runner: Any, step: int, meta: dict[str, Any]) -> None:
        if self._is_validating:
            # Hooks that come later still have to note the metrics, see after_val.
            self._again = (step, meta)
            return
        self._forget_oldest(runner, step)
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        runner.step_saver.saved()
        if is_main_process():
            _point_to(runner, self.last_ckpt)
            _keep_steps(Path(runner.work_dir), KEPT_STEPS, runner.iter)
            self.file_backend.flush(self.last_ckpt)

    def _forget_oldest(self, runner: Any, step: int) -> None:
        """Take the oldest checkpoint off the list of those to keep, and the new one onto it."""
        kept = getattr(self, 'keep_ckpt_ids', None)
        if kept is None or (kept and kept[-1] == step):
            return
        if len(kept) == self.max_keep_ckpts:
            oldest = self.filename_tmpl.format(kept.popleft())
            if is_main_process():
                self.file_backend.remove(self.file_backend.join_path(self.out_dir, oldest))
        kept.append(step)
        runner.message_hub.update_info('keep_ckpt_ids', list(kept))

    def after_val_epoch(self, runner: Any, metrics: dict[str, Any]) -> None:
        """Save the best checkpoint; then the one before it goes."""
        self._is_validating = True
        super().after_val_epoch(runner, metrics)
        self._is_validating = False
        if is_main_process() and self.save_best:
            best = [getattr(self, 'best_ckpt_path', None)]
            best += getattr(self, 'best_ckpt_path_dict', {}).values()
            self.file_backend.flush(*filter(None, best))

    def after_val(self, runner: Any) -> None:
        """Save again what has learnt of a validation that found a best, or that was the last."""
        again, self._again = self._again, None
        if again is not None:
            self._save_checkpoint_with_step(runner, *again)
        elif runner.has_ended and self.save_last:
            self._save_here(runner)

    def after_train(self, runner: Any) -> None:
        """Save the end of a run that has stopped early; delete the checkpoints between those of the
        schedule."""
        if runner.train_loop.stop_training and self.save_last:
            self._save_here(runner)
        super().after_train(runner)
        if is_main_process() and self.last_ckpt is not None:
            _keep_steps(Path(runner.work_dir), 0, runner.iter)

    def _save_here(self, runner: Any) -> None:
        """Save where the run stands after a step and a validation, unless that was done."""
        if not runner.is_saved:
            meta = dict(epoch=runner.epoch, iter=runner.iter)
            self._save_checkpoint_with_step(
                runner, runner.epoch if self.by_epoch else runner.iter, meta
            )


def _require_known_places(hook: CheckpointHook, stated: str | None, work_dir: str) -> None:
    """Check that checkpoints lie in the work directory, under the names that --resume and
    --overwrite look for.

    Args:
        stated: The ``out_dir`` of the config, of which mmengine makes a folder for each run.

    Raises:
        InvalidArgument: a setting puts them elsewhere.
    """
    template = hook.filename_tmpl
    if os.path.realpath(hook.out_dir) != os.path.realpath(work_dir):
        raise InvalidArgument(
            f'default_hooks.checkpoint.out_dir={stated!r}: checkpoints lie in the work '
            'directory, where --resume looks for them; leave it out, and give --work-dir'
        )
    if template not in ('epoch_{}.pth', 'iter_{}.pth'):
        raise InvalidArgument(
            f'default_hooks.checkpoint.filename_tmpl={template!r}: --resume looks for epoch_N.pth '
            'and iter_N.pth; leave it out'
        )
