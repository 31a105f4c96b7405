"""The folder of a run: guarded against loss, searched for what to go on from."""

import re
import shutil
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

from rexdense.checkpoint import read_checkpoint
from rexdense.destinations import prepare_output_dir
from rexdense.errors import CheckpointUnreadable, InvalidArgument

__all__ = [
    'CURVES',
    'POINTER',
    'SHEET',
    'Found',
    'checkpoints_of_runs',
    'find_checkpoint',
    'newest_checkpoint',
    'prepare_work_dir',
    'remove_earlier_runs',
    'run_meta',
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
    """Return the newest whole checkpoint of a run, None if there is none, and the faults of the
    newer files that are not whole.

    ``last_checkpoint`` is not relied on: a run that was killed may leave it empty, or naming an
    older file or one that was cut.
    """
    work_dir, faults = Path(work_dir), []
    pointer = work_dir / POINTER
    named = ''
    if pointer.is_file():
        # It has the path at the time of saving; the folder may have been moved since.
        named = Path(pointer.read_text(errors='replace').strip()).name
    for path in sorted(checkpoints_of_runs(work_dir), key=_age):
        try:
            meta = run_meta(path)
        except CheckpointUnreadable as error:
            faults.append(str(error))
            continue
        said = ''
        if named != path.name:
            says = f'names {named}' if named else 'is empty' if pointer.is_file() else 'is missing'
            said = f'{POINTER} {says}; the newest whole checkpoint is {path.name}'
        return Found(path, meta, said), faults
    return None, faults


def _age(path: Path) -> tuple[bool, int, float]:
    """Return the key that sorts checkpoints from the newest: of the best of a run, which lack the
    optimizer, the number in the name says when, too."""
    number = re.search(r'(\d+)\.pth$', path.name)
    return (
        path.name.startswith('best_'),
        -int(number[1]) if number else 0,
        -path.stat().st_mtime,
    )


def run_meta(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint's facts on its run, once the file was found to be whole.

    Raises:
        CheckpointUnreadable: it is cut, damaged, or no checkpoint of a run.
    """
    content = read_checkpoint(path, mmap=True).content
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            raise CheckpointUnreadable(f'{path} is damaged (in {damaged})')
    meta = content.get('meta') if isinstance(content, dict) else None
    if not isinstance(meta, dict) or not all(
        isinstance(meta.get(key), int) for key in ('epoch', 'iter')
    ):
        raise CheckpointUnreadable(f'{path} holds weights alone, no run to go on with')
    return meta
