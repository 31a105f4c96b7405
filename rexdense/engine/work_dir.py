"""The work directory of a run, protected against loss of files."""

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
from rexdense.engine.report.metric_files import METRIC_FILES
from rexdense.engine.resume.checkpoints import checkpoints_of_runs, is_checkpoint_name
from rexdense.engine.resume.hashes import HASHES
from rexdense.errors import InvalidArgument, UnwritableFile
from rexdense.files.destinations import as_unwritable, check_destination, prepare_output_dir
from rexdense.files.hidden_files import written_for
from rexdense.files.locks import held_alone, holder_of
from rexdense.files.output_names import output_path

# mmengine names the folder of a run by its start time.
RUN_FOLDER, STAMP = re.compile(r'\d{8}_\d{6}'), '%Y%m%d_%H%M%S'
CURVES, SHEET = 'curves.png', 'predictions.png'
LOCK = '.rexdense.lock'
_SECOND = datetime.timedelta(seconds=1)


def written_names(config_file: str | Path | None) -> list[str]:
    """Return the names of the files that a training writes directly into its work directory, except
    checkpoints.

    Args:
        config_file: The config file, of which mmengine writes a copy under the same name.
    """
    return [CURVES, SHEET, POINTER, HASHES, *([Path(config_file).name] if config_file else ())]


def prepare_work_dir(
    work_dir: str | Path, may_hold_results: bool, written: Iterable[str] = ()
) -> Path:
    """Create the work directory of a run and check that it is writable, without changing its
    content.

    Args:
        may_hold_results: The run resumes, replaces or evaluates what is there.
        written: Names of further files that the run writes there, see :func:`written_names`. They
            count as files of an earlier run if there is a checkpoint or a log of one.

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
    # An interrupted run leaves a copy of its config and a hash before its first checkpoint.
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
    """Return the folders and broken links with names of checkpoints."""
    return [
        path.name
        for path in sorted(work_dir.glob('*.pth'))
        if is_checkpoint_name(path.name) and not os.path.isfile(path)
    ]


def left_by_runs(work_dir: str | Path, current: str = '') -> list[Path]:
    """Return the files and links of runs in a work directory that a new run replaces: checkpoints,
    the pointer to them and their hashes; and from each folder with a run's log, that log and the
    run's values and pictures. All other files are not of a run.

    Args:
        current: The folder name of the run that is starting, which is left out.
    """
    work_dir = Path(work_dir)
    found = checkpoints_of_runs(work_dir)
    found += [work_dir / name for name in (POINTER, HASHES) if (work_dir / name).is_file()]
    for folder in _run_folders(work_dir):
        if folder.name != current:
            found += [folder] if folder.is_symlink() else _left_in(folder)
    return found


def _run_folders(work_dir: Path) -> list[Path]:
    """Return the folders in a work directory that have the log of a run."""
    return [
        folder
        for folder in sorted(work_dir.glob('*'))
        if RUN_FOLDER.fullmatch(folder.name) and (folder / f'{folder.name}.log').is_file()
    ]


def _left_in(folder: Path) -> list[Path]:
    """Return the files of a run in its folder: values and pictures of mmengine's visualizer, files
    of rexdense test, and logs, including those of other processes."""
    values = folder / 'vis_data'
    left = [] if values.is_symlink() else filter(_is_leaf, values.rglob('*'))
    names = (f'{folder.name}.json', *METRIC_FILES, f'{folder.name}*.log')
    return [*left, *(path for name in names for path in folder.glob(name) if _is_leaf(path))]


def _is_leaf(path: Path) -> bool:
    return path.is_symlink() or not path.is_dir()


def remove_earlier_runs(work_dir: str | Path, current: str) -> None:
    """Delete the files of earlier runs in a work directory, see :func:`left_by_runs`, and folders
    that become empty. Raise UnwritableFile if the operating system refuses it.

    Args:
        current: The folder name of the run that is starting, which is kept.
    """
    left = left_by_runs(work_dir, current)
    for path in left:
        with as_unwritable(path):
            path.unlink(missing_ok=True)
    parents = {parent for path in left for parent in path.relative_to(work_dir).parents}
    for parent in sorted(parents - {Path()}, key=lambda parent: len(parent.parts), reverse=True):
        # A folder with other files is kept.
        with contextlib.suppress(OSError):
            (Path(work_dir) / parent).rmdir()


class RemoveEarlierRuns(Hook):
    """Call :func:`remove_earlier_runs` only when training begins, so that an error in the config
    deletes nothing."""

    def before_train(self, runner) -> None:
        """Delete the files of earlier runs."""
        if is_main_process():
            remove_earlier_runs(runner.work_dir, runner.timestamp)


def remove_unfinished(work_dir: str | Path, written: Collection[str]) -> list[Path]:
    """Delete the hidden files of a run that was killed while it wrote; return them.

    No other run may be writing there, see :func:`alone_in`.

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
    """Keep other runs out of a work directory while the block runs. Raise InvalidArgument if one is
    training there."""
    holder = f'process {os.getpid()} of {socket.gethostname()}'
    with held_alone(Path(work_dir, LOCK), holder) as other:
        if other is not None:
            raise InvalidArgument(
                f'work dir {work_dir} belongs to a run that is training ({other or "unknown"}): '
                'wait for it, stop it, or choose another --work-dir'
            )
        yield


class RequireAlone(Hook):
    """Check before each checkpoint that no other run has entered the work directory. One can if
    somebody has deleted the directory, or the lock in it, while a run trains.

    Raises:
        UnwritableFile: another run trains there.
    """

    def __init__(self) -> None:
        self._lock: os.stat_result | None = None

    def before_train(self, runner) -> None:
        """Record the lock file of this run, if it has one."""
        with contextlib.suppress(OSError):
            self._lock = os.stat(Path(runner.work_dir, LOCK))

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Check that this lock is still there, or none is."""
        path = Path(runner.work_dir, LOCK)
        with contextlib.suppress(OSError):
            # Opening and closing its own lock file would release the lock.
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
    """Create the folder of a run's log, and return its name: the second in which the run starts, or
    the first free one after all earlier runs.

    Readers order runs by these names, but clocks are set back: at the end of summer time, by the
    user, or when a run resumes in a container with another time zone.

    Args:
        stamp: The second in mmengine's form: 20261231_235959.
    """
    second = _second_of(stamp)
    for folder in _run_folders(Path(work_dir)):
        # Not all digits make a date.
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
