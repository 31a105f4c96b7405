"""The folder of a run: guarded against loss, searched for what to go on from."""

import re
import shutil
import tempfile
from pathlib import Path

from rexdense.errors import InvalidArgument

__all__ = [
    'CURVES',
    'POINTER',
    'SHEET',
    'checkpoints_of_runs',
    'newest_checkpoint',
    'prepare_output_dir',
    'prepare_work_dir',
    'remove_earlier_runs',
]

# As mmengine's CheckpointHook names them.
_CHECKPOINT = re.compile(r'(epoch|iter)_\d+\.pth|best_.+\.pth')
# mmengine names a run's folder after the time of its start.
RUN_FOLDER = re.compile(r'\d{8}_\d{6}')
POINTER = 'last_checkpoint'
CURVES, SHEET = 'curves.png', 'predictions.png'


def prepare_work_dir(work_dir: str | Path, may_hold_results: bool) -> Path:
    """Create the folder of a run and make sure that it may be written; nothing in it is touched.

    Args:
        may_hold_results: The run continues, replaces or measures what is there.

    Raises:
        InvalidArgument: it cannot be written, or holds checkpoints unexpectedly.
    """
    work_dir = prepare_output_dir(work_dir, '--work-dir')
    earlier = [path.name for path in checkpoints_of_runs(work_dir)]
    if earlier and not may_hold_results:
        raise InvalidArgument(
            f'work dir {work_dir} holds checkpoints of an earlier run ({earlier[-1]}): '
            'continue it with --resume, '
            'replace it with --overwrite, or choose another --work-dir'
        )
    return work_dir


def prepare_output_dir(folder: str | Path, option: str) -> Path:
    """Create a folder and make sure that it may be written.

    Raises:
        InvalidArgument: it may not; the message names the option that chose it.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InvalidArgument(
            f'{option} {folder} cannot be written ({error.strerror}); choose another folder'
        ) from error
    return folder


def remove_earlier_runs(work_dir: str | Path, current: str) -> None:
    """Delete the checkpoints and logs in a work directory, apart from the folder ``current``."""
    work_dir = Path(work_dir)
    for path in (*checkpoints_of_runs(work_dir), work_dir / POINTER):
        path.unlink(missing_ok=True)
    for path in work_dir.iterdir():
        if RUN_FOLDER.fullmatch(path.name) and path.name != current:
            shutil.rmtree(path)


def checkpoints_of_runs(work_dir: str | Path) -> list[Path]:
    """Return the checkpoints in a work directory by name; files of other names are no run's."""
    return sorted(path for path in Path(work_dir).glob('*.pth') if _CHECKPOINT.fullmatch(path.name))


def newest_checkpoint(work_dir: str | Path) -> Path | None:
    """Return the checkpoint that a run saved last, None if there is none."""
    pointer = Path(work_dir) / POINTER
    if not pointer.is_file():
        return None
    # The pointer has the path at the time of saving; the folder may have been moved since.
    path = pointer.with_name(Path(pointer.read_text().strip()).name)
    return path if path.is_file() else None
