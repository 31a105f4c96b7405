"""The folder of a run: guarded against loss, searched for what to go on from."""

import contextlib
import functools
import os
import re
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

from rexdense.checkpoint import read_checkpoint
from rexdense.checkpoint.formats.reading import POINTER, checkpoint_file, pointed_name
from rexdense.destinations import prepare_output_dir, told
from rexdense.engine.report.metric_files import METRIC_FILES
from rexdense.errors import CheckpointUnreadable, InvalidArgument
from rexdense.file_locks import held_alone
from rexdense.files import written_for

__all__ = [
    'CURVES',
    'POINTER',
    'SHEET',
    'STEP',
    'Found',
    'alone_in',
    'checkpoints_of_runs',
    'facts_of_run',
    'find_checkpoint',
    'left_by_runs',
    'newest_checkpoint',
    'prepare_work_dir',
    'remove_earlier_runs',
    'take_run_folder',
    'remove_unfinished',
    'run_meta',
    'written_names',
]

# As mmengine's CheckpointHook and save_step name them.
_CHECKPOINT = re.compile(r'(epoch|iter|step)_\d+\.pth|best_.+\.pth')
STEP = 'step_{}.pth'
"""Name of a checkpoint between those of the schedule."""
# mmengine names a run's folder after the time of its start.
RUN_FOLDER, STAMP = re.compile(r'\d{8}_\d{6}'), '%Y%m%d_%H%M%S'
CURVES, SHEET = 'curves.png', 'predictions.png'
LOCK = '.rexdense.lock'

# Nanoseconds, ten times the coarsest tick of Linux.
_TICK = 100_000_000
# numpy's generators take seeds of 32 bits, torch counts steps in 64.
_RANGES = {'epoch': (0, 2**63 - 1), 'iter': (0, 2**63 - 1), 'seed': (0, 2**32 - 1)}
LONGEST_SHOWN = 60


def written_names(config_file: str | Path | None, training: bool = True) -> list[str]:
    """Return the names of the files that a run writes straight into its work directory, but for
    checkpoints.

    Args:
        config_file: The file of its config, of which mmengine writes a copy under that name.
        training: Whether it trains; else it measures.
    """
    copy = [Path(config_file).name] if config_file else []
    return [*((CURVES, SHEET, POINTER) if training else ()), *copy]


def prepare_work_dir(
    work_dir: str | Path, may_hold_results: bool, written: Iterable[str] = ()
) -> Path:
    """Create the folder of a run and make sure that it may be written; nothing in it is touched.

    Args:
        may_hold_results: The run continues, replaces or measures what is there.
        written: Names of further files that the run writes there, see :func:`written_names`. They
            are taken for those of an earlier run where that has left a checkpoint or a log.

    Raises:
        InvalidArgument: it cannot be written, holds results unexpectedly, or a file that no run has
            left and that would be replaced.
    """
    work_dir = prepare_output_dir(work_dir, '--work-dir')
    checkpoints = checkpoints_of_runs(work_dir)
    replaced = [name for name in written if os.path.lexists(work_dir / name)]
    if replaced and not checkpoints and not _run_folders(work_dir):
        raise InvalidArgument(
            f'work dir {work_dir} holds {replaced[0]}, which this run would replace and no run has '
            'left there: move the file, or choose another --work-dir'
        )
    # An interrupted run leaves a copy of its config before its first checkpoint.
    drawn = [name for name in replaced if name in (CURVES, SHEET, POINTER)]
    earlier = drawn + [path.name for path in checkpoints]
    if earlier and not may_hold_results:
        what, go_on = (
            ('checkpoints', 'continue it with --resume, ') if checkpoints else ('results', '')
        )
        raise InvalidArgument(
            f'work dir {work_dir} holds {what} of an earlier run ({earlier[-1]}): '
            f'{go_on}replace it with --overwrite, or choose another --work-dir'
        )
    return work_dir


def left_by_runs(work_dir: str | Path, current: str = '') -> list[Path]:
    """Return the files and links in a work directory that runs have left and that a new run
    replaces: checkpoints, the pointer to them, and of each folder with a run's log that log, its
    values and its pictures. Whatever else lies there is no run's.

    Args:
        current: The name of the folder of the run that is beginning, which is left out.
    """
    work_dir = Path(work_dir)
    found = checkpoints_of_runs(work_dir)
    if (work_dir / POINTER).is_file():
        found.append(work_dir / POINTER)
    for folder in _run_folders(work_dir):
        if folder.name != current:
            found += [folder] if folder.is_symlink() else _left_in(folder)
    return found


def _run_folders(work_dir: Path) -> list[Path]:
    """Return the folders in a work directory that hold the log of a run."""
    return [
        folder
        for folder in sorted(work_dir.glob('*'))
        if RUN_FOLDER.fullmatch(folder.name) and (folder / f'{folder.name}.log').is_file()
    ]


def _left_in(folder: Path) -> list[Path]:
    """Return what a run has left in its folder: values and pictures of mmengine's visualizer, what
    rexdense test measured, and logs, of which further processes have their own."""
    values = folder / 'vis_data'
    left = [] if values.is_symlink() else filter(_is_leaf, values.rglob('*'))
    names = (f'{folder.name}.json', *METRIC_FILES, f'{folder.name}*.log')
    return [*left, *(path for name in names for path in folder.glob(name) if _is_leaf(path))]


def _is_leaf(path: Path) -> bool:
    return path.is_symlink() or not path.is_dir()


def remove_earlier_runs(work_dir: str | Path, current: str) -> None:
    """Delete what earlier runs have left in a work directory, see :func:`left_by_runs`, and the
    folders that are empty without it.

    Args:
        current: The name of the folder of the run that is beginning, which stays.

    Raises:
        UnwritableFile: the operating system refuses it.
    """
    left = left_by_runs(work_dir, current)
    for path in left:
        with told(path):
            path.unlink(missing_ok=True)
    parents = {parent for path in left for parent in path.relative_to(work_dir).parents}
    for parent in sorted(parents - {Path()}, key=lambda parent: len(parent.parts), reverse=True):
        # Of a folder with more in it, that stays.
        with contextlib.suppress(OSError):
            (Path(work_dir) / parent).rmdir()


def remove_unfinished(work_dir: str | Path) -> list[Path]:
    """Delete the hidden files that a run has left which was killed while it wrote; return them.

    Another run must not be writing there, see :func:`alone_in`.
    """
    left = [path for path in Path(work_dir).glob('.*') if _is_unfinished(path)]
    for path in left:
        with told(path):
            path.unlink(missing_ok=True)
    return left


def _is_unfinished(path: Path) -> bool:
    name = written_for(path.name)
    return bool(name and (_CHECKPOINT.fullmatch(name) or name in (CURVES, SHEET, POINTER)))


@contextlib.contextmanager
def alone_in(work_dir: str | Path) -> Iterator[None]:
    """Keep other runs out of a work directory.

    Raises:
        InvalidArgument: one is training there.
    """
    holder = f'process {os.getpid()} of {socket.gethostname()}'
    with held_alone(Path(work_dir, LOCK), holder) as other:
        if other is not None:
            raise InvalidArgument(
                f'work dir {work_dir} belongs to a run that is training ({other or "unknown"}): '
                'wait for it, stop it, or choose another --work-dir'
            )
        yield


def checkpoints_of_runs(work_dir: str | Path) -> list[Path]:
    """Return the checkpoints in a work directory by name; files of other names are no run's."""
    return sorted(
        path
        for path in Path(work_dir).glob('*.pth')
        if _CHECKPOINT.fullmatch(path.name) and not path.is_dir()
    )


class Found(NamedTuple):
    """The checkpoint that a run can go on from.

    Attributes:
        path: Of the file.
        meta: What it says of its run: ``epoch``, ``iter``, ``seed`` and more.
        said: Why it is not the one that ``last_checkpoint`` names; empty if it is.
    """

    path: Path
    meta: dict[str, Any]
    said: str


def newest_checkpoint(work_dir: str | Path) -> Path | None:
    """Return the newest whole checkpoint of a run, None if there is none."""
    found, _ = find_checkpoint(work_dir)
    return found and found.path


def find_checkpoint(work_dir: str | Path) -> tuple[Found | None, list[str]]:
    """Return the newest whole checkpoint of a run, None if there is none, and the faults of those
    saved later that are not whole. The newest is that of the most epochs and steps.

    ``last_checkpoint`` is not relied on: a run that was killed may leave it empty, or naming an
    older file or one that was cut.
    """
    named = pointed_name(Path(work_dir))
    faults, readable = {}, []
    for path in checkpoints_of_runs(work_dir):
        try:
            meta = run_meta(path)
            readable.append((_age(path, meta), path, meta))
        except CheckpointUnreadable as error:
            faults[path] = str(error)
    found = None
    if readable:
        _, path, meta = min(readable, key=lambda each: each[:2])
        said = ''
        if named != path.name:
            says = 'is missing' if named is None else f'names {named}' if named else 'is empty'
            said = f'{POINTER} {says}; the newest whole checkpoint is {path.name}'
        found = Found(path, meta, said)
    oldest = found.path.stat().st_mtime if found else 0
    return found, [fault for path, fault in faults.items() if path.lstat().st_mtime >= oldest]


def _age(path: Path, meta: dict[str, Any]) -> tuple[bool, int, int, float]:
    """Return the key that sorts checkpoints from the newest, by what their run had done; the best
    of a run, which lack the optimizer, come last."""
    # The epoch counts first: another batch size changes the steps that an epoch has.
    return path.name.startswith('best_'), -meta['epoch'], -meta['iter'], -path.stat().st_mtime


def run_meta(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint's facts on its run, once the file was found to be whole; a file that stays
    as it is is read once.

    Raises:
        CheckpointUnreadable: it is cut, damaged, no checkpoint of a run, or says what no run can.
    """
    path = checkpoint_file(Path(path))
    status = path.stat()
    state = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    # Two writes within a tick of the file system's clock leave the same times.
    settled = time.time_ns() - max(state[2:]) > _TICK
    read = _facts_of_file if settled else _facts_of_file.__wrapped__
    return dict(read(path.absolute(), path, state))


@functools.lru_cache(maxsize=64)
def _facts_of_file(place: Path, path: Path, state: tuple[int, ...]) -> dict[str, Any]:
    """Return the facts of the file at a place while it is in a state; ``path`` is what messages
    call it."""
    return facts_of_run(read_checkpoint(path, mmap=True).content, path)


def facts_of_run(content: Any, path: str | Path) -> dict[str, Any]:
    """Return what a checkpoint says of its run: ``epoch``, ``iter``, ``seed`` and more.

    Raises:
        CheckpointUnreadable: it says nothing of a run, or what no run can have.
    """
    meta = content.get('meta') if isinstance(content, Mapping) else None
    if not isinstance(meta, dict) or not {'epoch', 'iter'} <= meta.keys():
        raise CheckpointUnreadable(f'{path} holds weights alone, no run to go on with')
    for key, (least, most) in _RANGES.items():
        value = meta.get(key)
        allowed = isinstance(value, Integral) and not isinstance(value, bool)
        if not (allowed and least <= value <= most) and not (key == 'seed' and value is None):
            raise CheckpointUnreadable(
                f'{path} says {key} {_abridged(value)}, which is no whole number from {least} to '
                f'{most}, so its run cannot go on: begin a new one from its weights with '
                '--load-from'
            )
    return meta


def _abridged(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f'{text[:LONGEST_SHOWN]}...'


def take_run_folder(work_dir: str | Path, stamp: str) -> str:
    """Make the folder of a run's log, and return its name: the second in which the run begins, or
    the first one after it that no other run has taken.

    Args:
        stamp: The second, as mmengine names folders: 20261231_235959.
    """
    while True:
        try:
            Path(work_dir, stamp).mkdir(parents=True)
            return stamp
        except FileExistsError:
            later = time.mktime(time.strptime(stamp, STAMP)) + 1
            stamp = time.strftime(STAMP, time.localtime(later))
