"""Deletion of older checkpoints, after newer ones are complete."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rexdense.engine.resume.checkpoints import STEP, checkpoints_of_runs

KEPT_STEPS = 2
"""Number of kept checkpoints between those of the schedule: two, so that one is left if the other
is damaged."""

_STEP_NAME = STEP.partition('{')[0]


def keep_steps(work_dir: Path, number: int, made: int) -> None:
    """Delete the checkpoints between those of the schedule, except the last ones.

    They are ordered by steps, not by times: clocks are set back, and differ between machines.
    Checkpoints with more steps than the run has made are from an earlier start that was not
    resumed, or from smaller batches. All of these are deleted, because the next start would take
    them for the newest.

    Args:
        made: Number of finished steps.
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


class RemovedLater:
    """mmengine's file backend, with files removed only after their replacements are written.

    Files in other folders are kept: a run that resumes from another's checkpoint knows its best
    one.

    Args:
        backend: mmengine's backend.
        folder: Folder of the run's checkpoints.
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
        """Remove pending files, except those that were written again under the same name."""
        for remove, path in self.due:
            if path not in written and self.backend.exists(path):
                remove(path)
        self.due.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)
