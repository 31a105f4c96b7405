"""Saving of checkpoints: older ones are deleted after new ones are written, and some are saved
between those of the schedule."""

import os
import re
import time
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook

from rexdense.checkpoint.formats.reading import POINTER
from rexdense.engine.resume.checkpoints import STEP
from rexdense.engine.resume.deleting import KEPT_STEPS, RemovedLater, keep_steps
from rexdense.engine.resume.full_disk import minutes_of
from rexdense.engine.resume.hashes import tidy_hashes
from rexdense.errors import InvalidArgument
from rexdense.files.writing import atomic_write
from rexdense.registry import HOOKS

_EVERY = re.compile(r'(\d{1,10})\s*(i|min)')


class Every(NamedTuple):
    """The interval of additional checkpoints, in steps or in time."""

    steps: int = 0
    seconds: float = 0

    @classmethod
    def parse(cls, text: str) -> 'Every':
        """Return the interval from a text such as 500i (steps) or 10min.

        Raises:
            InvalidArgument: the text has neither form.

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
    """Timing of the next additional checkpoint.

    Args:
        every: The interval; None never saves one.
    """

    def __init__(self, every: Every | None = None) -> None:
        self.every = every or Every()
        self._last = time.monotonic()

    def is_due(self, iteration: int) -> bool:
        """Return whether a checkpoint is due after this many steps."""
        steps, seconds = self.every
        waited = time.monotonic() - self._last
        return bool((steps and iteration % steps == 0) or (seconds and waited >= seconds))

    def saved(self) -> None:
        """Restart the time to the next checkpoint."""
        self._last = time.monotonic()


def save_step(runner: Any) -> Path:
    """Save the position of a run in all its processes, unless there is a checkpoint of it; return
    the file.

    Raises:
        UnwritableFile: the checkpoint cannot be written.
    """
    loop, folder = runner.train_loop, Path(runner.work_dir)
    if not runner.is_saved:
        meta = dict(epoch=loop.epoch, iter=loop.iter)
        name = STEP.format(loop.iter)
        runner.logger.info(f'Saving checkpoint at {loop.iter} iterations')
        runner.save_checkpoint(str(folder), name, meta=meta, by_epoch=False)
        if is_main_process():
            _point_to(runner, folder / name)
            keep_steps(folder, KEPT_STEPS, loop.iter)
            _tidy(runner)
    return runner.last_saved


def _point_to(runner: Any, file: str | Path) -> None:
    pointer = Path(runner.work_dir, POINTER)
    runner.disk.write(
        lambda: atomic_write(pointer, str(file).encode(), overwrite=True), runner.work_dir
    )


def _tidy(runner: Any) -> None:
    runner.disk.write(lambda: tidy_hashes(runner.work_dir), runner.work_dir)


@HOOKS.register_module(name='CheckpointHook')
class KeepCheckpoints(CheckpointHook):
    """mmengine's CheckpointHook with two changes: it deletes an older checkpoint only after the
    newer one is complete, and it also saves between the checkpoints of the schedule.

    Args:
        every: Interval of additional checkpoints, such as '500i' or '10min'; see :class:`Every`.
        wait_for_disk: Longest wait in minutes for each file if the disk is full; see
            :class:`rexdense.engine.resume.full_disk.DiskWait`.
        settings: Arguments of mmengine's hook.

    Raises:
        InvalidArgument: ``every`` or ``wait_for_disk`` is invalid; or, when training begins,
            ``out_dir`` or ``filename_tmpl`` puts checkpoints where they are not found on resume.
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
        """Prepare the folder, and start the time to the first checkpoint."""
        stated = self.out_dir
        super().before_train(runner)
        _require_known_places(self, stated, runner.work_dir)
        self.file_backend = RemovedLater(self.file_backend, self.out_dir)
        runner.step_saver = StepSaver(self.every)
        runner.disk.seconds = 60 * self.wait_for_disk

    def _save_checkpoint_with_step(self, runner: Any, step: int, meta: dict[str, Any]) -> None:
        if self._is_validating:
            # Later hooks still have to store the metrics, see after_val.
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
            keep_steps(Path(runner.work_dir), KEPT_STEPS, runner.iter)
            self.file_backend.flush(self.last_ckpt)
            _tidy(runner)

    def _forget_oldest(self, runner: Any, step: int) -> None:
        """Remove the oldest checkpoint from the list of those to keep, and add the new one."""
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
        """Save the best checkpoint, then delete the one before it."""
        self._is_validating = True
        super().after_val_epoch(runner, metrics)
        self._is_validating = False
        if is_main_process() and self.save_best:
            best = [getattr(self, 'best_ckpt_path', None)]
            best += getattr(self, 'best_ckpt_path_dict', {}).values()
            self.file_backend.flush(*filter(None, best))
            _tidy(runner)

    def after_val(self, runner: Any) -> None:
        """Save again after a validation that found a best value, or that was the last, so that the
        checkpoint includes its results."""
        again, self._again = self._again, None
        if again is not None:
            self._save_checkpoint_with_step(runner, *again)
        elif runner.has_ended and self.save_last:
            self._save_here(runner)

    def after_train(self, runner: Any) -> None:
        """Save the end of a run that has stopped early, and delete the checkpoints between those of
        the schedule."""
        if runner.train_loop.stop_training and self.save_last:
            self._save_here(runner)
        super().after_train(runner)
        if is_main_process() and self.last_ckpt is not None:
            keep_steps(Path(runner.work_dir), 0, runner.iter)
            _tidy(runner)

    def _save_here(self, runner: Any) -> None:
        """Save the position after a step and a validation, unless it is saved."""
        if not runner.is_saved:
            meta = dict(epoch=runner.epoch, iter=runner.iter)
            self._save_checkpoint_with_step(
                runner, runner.epoch if self.by_epoch else runner.iter, meta
            )


def _require_known_places(hook: CheckpointHook, stated: str | None, work_dir: str) -> None:
    """Check that checkpoints are saved in the work directory, under the names that --resume and
    --overwrite look for.

    Args:
        stated: ``out_dir`` of the config, in which mmengine creates a folder for each run.

    Raises:
        InvalidArgument: a setting changes the place or the names.
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
