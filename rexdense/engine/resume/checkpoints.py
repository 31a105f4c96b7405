"""The checkpoints of a run: their names, their metadata, and the newest intact one."""

import contextlib
import functools
import os
import re
import time
from collections.abc import Mapping
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

from rexdense.checkpoint import read_checkpoint
from rexdense.checkpoint.formats.reading import POINTER, checkpoint_file, pointed_name
from rexdense.engine.resume.hashes import require_listed_hash
from rexdense.errors import CheckpointUnreadable, abridged

# Names given by mmengine's CheckpointHook and save_step.
_CHECKPOINT = re.compile(r'(epoch|iter|step)_\d+\.pth|best_.+\.pth')
STEP = 'step_{}.pth'
"""Name of a checkpoint between those of the schedule."""
# Nanoseconds; ten times the coarsest tick of Linux.
_TICK = 100_000_000
# numpy's generators take 32-bit seeds, and torch counts steps in 64 bits.
_RANGES = {'epoch': (0, 2**63 - 1), 'iter': (0, 2**63 - 1), 'seed': (0, 2**32 - 1)}


def is_checkpoint_name(name: str) -> bool:
    """Return whether a name is one that runs give to checkpoints."""
    return _CHECKPOINT.fullmatch(name) is not None


def checkpoints_of_runs(work_dir: str | Path) -> list[Path]:
    """Return the checkpoints in a work directory by name, without files of other names."""
    return sorted(
        path
        for path in Path(work_dir).glob('*.pth')
        if is_checkpoint_name(path.name) and not os.path.isdir(path)
    )


class Found(NamedTuple):
    """The checkpoint from which a run can resume.

    Attributes:
        path: The file.
        meta: Its metadata of the run: ``epoch``, ``iter``, ``seed`` and more.
        said: Why it is not the one that ``last_checkpoint`` names; empty if it is.
    """

    path: Path
    meta: dict[str, Any]
    said: str


def newest_checkpoint(work_dir: str | Path) -> Path | None:
    """Return the newest intact checkpoint of a run; None if there is none."""
    found, _ = find_checkpoint(work_dir)
    return found and found.path


def find_checkpoint(work_dir: str | Path) -> tuple[Found | None, list[str]]:
    """Return the newest intact checkpoint of a run (None if there is none), and the faults of
    damaged ones that were saved later. The newest has the most epochs and steps.

    ``last_checkpoint`` is not trusted: a killed run may leave it empty, or with the name of an
    older or truncated file. Files that a run in the folder deletes meanwhile are ignored.
    """
    faults, readable = [], []
    for path in checkpoints_of_runs(work_dir):
        try:
            meta = run_meta(path)
            readable.append((_age(path, meta), path, meta, path.stat().st_mtime))
        except FileNotFoundError:
            continue
        except CheckpointUnreadable as error:
            with contextlib.suppress(OSError):
                faults.append((path.lstat().st_mtime, str(error)))
    found, oldest = None, 0
    if readable:
        _, path, meta, oldest = min(readable, key=lambda each: each[:2])
        found = Found(path, meta, _said_of_pointer(Path(work_dir), path.name))
    return found, [fault for saved, fault in faults if saved >= oldest]


def _said_of_pointer(work_dir: Path, newest: str) -> str:
    """Return why ``last_checkpoint`` does not name the newest checkpoint; empty if it does."""
    try:
        named = pointed_name(work_dir)
    except CheckpointUnreadable as error:
        return f'{error}; the newest whole checkpoint is {newest}'
    if named == newest:
        return ''
    says = 'is missing' if named is None else f'names {named}' if named else 'is empty'
    return f'{POINTER} {says}; the newest whole checkpoint is {newest}'


def _age(path: Path, meta: dict[str, Any]) -> tuple[bool, int, int, float]:
    """Return the key that sorts checkpoints, newest first, by the progress of their run. The best
    checkpoints of a run are last, because they have no optimizer state."""
    # Compares epochs first, because another batch size changes the number of steps per epoch.
    return path.name.startswith('best_'), -meta['epoch'], -meta['iter'], -path.stat().st_mtime


def run_meta(path: str | Path) -> dict[str, Any]:
    """Return a checkpoint's metadata of its run, after a check that the file is intact. An
    unchanged file is read once.

    Raises:
        CheckpointUnreadable: the file is truncated, damaged or no checkpoint of a run, is another
            file than its run has saved, or its metadata are impossible.
    """
    path = checkpoint_file(Path(path))
    status = path.stat()
    state = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    # Two writes within a tick of the file system's clock have the same times.
    settled = time.time_ns() - max(state[2:]) > _TICK
    read = _facts_of_file if settled else _facts_of_file.__wrapped__
    return dict(read(path.absolute(), path, state))


def require_readable(path: Path) -> None:
    """Raise CheckpointUnreadable if a run cannot continue from what it has saved, such as a hook's
    state that is more than tensors, numbers and texts."""
    try:
        run_meta(path)
    except CheckpointUnreadable as error:
        raise CheckpointUnreadable(
            f'no run can continue from what this run saves, so it ends here: {error}'
        ) from error


@functools.lru_cache(maxsize=64)
def _facts_of_file(place: Path, path: Path, state: tuple[int, ...]) -> dict[str, Any]:
    """Return the metadata of the file at ``place`` in the given state; ``path`` is its name in
    messages."""
    require_listed_hash(path)
    return facts_of_run(read_checkpoint(path, mmap=True).content, path)


def facts_of_run(content: Any, path: str | Path) -> dict[str, Any]:
    """Return a checkpoint's metadata of its run: ``epoch``, ``iter``, ``seed`` and more.

    Raises:
        CheckpointUnreadable: there are no metadata of a run, or they are impossible.
    """
    meta = content.get('meta') if isinstance(content, Mapping) else None
    if not isinstance(meta, dict) or not {'epoch', 'iter'} <= meta.keys():
        raise CheckpointUnreadable(f'{path} holds weights alone, no run to go on with')
    for key, (least, most) in _RANGES.items():
        value = meta.get(key)
        allowed = isinstance(value, Integral) and not isinstance(value, bool)
        if not (allowed and least <= value <= most) and not (key == 'seed' and value is None):
            raise CheckpointUnreadable(
                f'{path} says {key} {abridged(value)}, which is no whole number from {least} to '
                f'{most}, so its run cannot go on: begin a new one from its weights with '
                '--load-from'
            )
    return meta
