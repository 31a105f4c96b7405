"""The folder of a run, guarded against loss."""

import contextlib
import datetime
import os
import re
import socket
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from rexdense.checkpoint.formats.reading import POINTER
from rexdense.destinations import as_unwritable, check_destination, prepare_output_dir
from rexdense.engine.report.metric_files import METRIC_FILES
from rexdense.engine.resume.checkpoints import checkpoints_of_runs, is_checkpoint_name
from rexdense.errors import InvalidArgument, UnwritableFile
from rexdense.file_locks import held_alone, holder_of
from rexdense.hidden_files import written_for
from rexdense.output_names import output_path

# mmengine names a run's folder after the time of its start.
RUN_FOLDER, STAMP = re.compile(r'\d{8}_\d{6}'), '%Y%m%d_%H%M%S'
CURVES, SHEET = 'curves.png', 'predictions.png'
LOCK = '.rexdense.lock'
_SECOND = datetime.timedelta(seconds=1)


def written_names(config_file: str | Path | None) -> list[str]:
    """Return the names of the files that a training writes straight into its work directory, but
    for checkpoints.

    Args:
        config_file: The file of its config, of which mmengine writes a copy under that name.
    """
    return [CURVES, SHEET, POINTER, *([Path(config_file).name] if config_file else ())]


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
            left and that would be replaced; or a link in it, whose file would be, leads out of it.
        UnwritableFile: one of the files cannot be replaced, which a run would find out once it has
            trained.
    """
    work_dir, written = prepare_output_dir(work_dir, '--work-dir'), list(written)
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
    for name in [*replaced, *(_no_files(work_dir) if POINTER in written else ())]:
        _require_replaceable(work_dir / name)
    for name in replaced:
        output_path(work_dir, name)
    return work_dir


def _require_replaceable(path: Path) -> None:
    try:
        check_destination(path, overwrite=True)
    except UnwritableFile as error:
        what = str(error).rpartition(': ')[0]
        raise UnwritableFile(
            f'{what}, and a run would replace it: take it away, or choose another --work-dir'
        ) from error


def _no_files(work_dir: Path) -> list[str]:
    """Return what is called as a checkpoint and is a folder, or a link to nothing."""
    return [
        path.name
        for path in sorted(work_dir.glob('*.pth'))
        if is_checkpoint_name(path.name) and not os.path.isfile(path)
    ]


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
    """Return the files of a run in its folder: values and pictures of mmengine's visualizer, those
    of rexdense test, and logs, of which further processes have their own."""
    values = folder / 'vis_data'
    left = [] if values.is_symlink() else filter(_is_leaf, values.rglob('*'))
    names = (f'{folder.name}.json', *METRIC_FILES, f'{folder.name}*.log')
    return [*left, *(path for name in names for path in folder.glob(name) if _is_leaf(path))]


def _is_leaf(path: Path) -> bool:
    return path.is_symlink() or not path.is_dir()


def remove_earlier_runs(work_dir: str | Path, current: str) -> None:
    """Delete what earlier runs have left in a work directory, see :func:`left_by_runs`, and the
    folders that are empty without it; raise UnwritableFile where the operating system refuses it.

    Args:
        current: The name of the folder of the run that is beginning, which stays.
    """
    left = left_by_runs(work_dir, current)
    for path in left:
        with as_unwritable(path):
            path.unlink(missing_ok=True)
    parents = {parent for path in left for parent in path.relative_to(work_dir).parents}
    for parent in sorted(parents - {Path()}, key=lambda parent: len(parent.parts), reverse=True):
        # Of a folder with more in it, that stays.
        with contextlib.suppress(OSError):
            (Path(work_dir) / parent).rmdir()


class RemoveEarlierRuns(Hook):
    """Call :func:`remove_earlier_runs` once all is built and training begins: a mistake in the
    config costs nothing."""

    def before_train(self, runner) -> None:
        """Delete what they have left."""
        if is_main_process():
            remove_earlier_runs(runner.work_dir, runner.timestamp)


def remove_unfinished(work_dir: str | Path, written: Collection[str]) -> list[Path]:
    """Delete the hidden files that a run has left which was killed while it wrote; return them.

    Another run must not be writing there, see :func:`alone_in`.

    Args:
        written: Names of the files besides checkpoints, see :func:`written_names`.
    """
    left = [path for path in Path(work_dir).glob('.*') if _is_unfinished(path, written)]
    for path in left:
        with as_unwritable(path):
            path.unlink(missing_ok=True)
    return left


def _is_unfinished(path: Path, written: Collection[str]) -> bool:
    name = written_for(path.name)
    return bool(name and (is_checkpoint_name(name) or name in written))


@contextlib.contextmanager
def alone_in(work_dir: str | Path) -> Iterator[None]:
    """Keep other runs out of a work directory; raise InvalidArgument while one is training
    there."""
    holder = f'process {os.getpid()} of {socket.gethostname()}'
    with held_alone(Path(work_dir, LOCK), holder) as other:
        if other is not None:
            raise InvalidArgument(
                f'work dir {work_dir} belongs to a run that is training ({other or "unknown"}): '
                'wait for it, stop it, or choose another --work-dir'
            )
        yield


class RequireAlone(Hook):
    """Check before each checkpoint that no other run has come into the work directory: one can
    where somebody has deleted the directory, or the lock in it, from under a run that trains.

    Raises:
        UnwritableFile: another run trains there.
    """

    def __init__(self) -> None:
        self._lock: os.stat_result | None = None

    def before_train(self, runner) -> None:
        """Note which file is the lock of this run, if it has one."""
        with contextlib.suppress(OSError):
            self._lock = os.stat(Path(runner.work_dir, LOCK))

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Check that it is still there, or that none is."""
        path = Path(runner.work_dir, LOCK)
        with contextlib.suppress(OSError):
            # To look at its own would give it up.
            if self._lock is None or os.path.samestat(self._lock, os.stat(path)):
                return
        other = holder_of(path)
        if other is not None:
            raise UnwritableFile(
                f'work dir {runner.work_dir} belongs to another run by now ({other or "unknown"}), '
                f'since somebody has deleted it or its {LOCK}: nothing more of this one is saved '
                'there; begin it anew with another --work-dir'
            )


def take_run_folder(work_dir: str | Path, stamp: str) -> str:
    """Make the folder of a run's log, and return its name: the second in which the run begins, or
    the first one after it and after all runs before.

    What is read of several runs goes by these names, and clocks are set back: at the end of summer
    time, by their owner, or where a run goes on in a container, whose zone may be another.

    Args:
        stamp: The second, as mmengine names folders: 20261231_235959.
    """
    second = _second_of(stamp)
    for folder in _run_folders(Path(work_dir)):
        # Digits alone make no date.
        with contextlib.suppress(ValueError, OverflowError):
            second = max(second, _second_of(folder.name) + _SECOND)
    while True:
        stamp = second.strftime(STAMP)
        try:
            Path(work_dir, stamp).mkdir(parents=True)
            return stamp
        except FileExistsError:
            second += _SECOND


def _second_of(stamp: str) -> datetime.datetime:
    return datetime.datetime.strptime(stamp, STAMP)
