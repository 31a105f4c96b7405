"""SHA-256 hashes of the checkpoints of a run, in ``checkpoints.sha256`` of its work directory.

The file has the form of ``sha256sum``. A hash is listed before its file is renamed to the listed
name. A run that is killed in between leaves two hashes of one name, of which one is right.
"""

import re
from pathlib import Path

from rexdense.checkpoint.formats.reading import as_unreadable
from rexdense.checkpoint.sidecar import file_digest
from rexdense.errors import CheckpointUnreadable
from rexdense.files.writing import atomic_write

HASHES = 'checkpoints.sha256'

_LINE = re.compile(r'([0-9a-f]{64}) [ *]([^/]+)')


def list_hash(work_dir: str | Path, name: str, written: str | Path) -> None:
    """List the hash of a checkpoint that will be renamed to ``name``, and keep the hash of the file
    that it will replace.

    Args:
        written: The complete file under its hidden name.

    Raises:
        UnwritableFile: the list cannot be written.
    """
    _write(Path(work_dir), [*_listed(Path(work_dir)), (_hash_of(written), name)])


def tidy_hashes(work_dir: str | Path) -> None:
    """Remove the hashes of deleted and of replaced checkpoints from the list. Raise UnwritableFile
    if the list cannot be written."""
    folder = Path(work_dir)
    hashes: dict[str, list[str]] = {}
    for found, name in _listed(folder):
        hashes.setdefault(name, []).append(found)
    for name, several in hashes.items():
        if not (folder / name).exists():
            several.clear()
        elif len(several) > 1 and (found := _hash_of(folder / name)) in several:
            several[:] = [found]
    kept = [(found, name) for name, several in hashes.items() for found in several]
    if kept != _listed(folder):
        _write(folder, kept)


def require_listed_hash(path: Path) -> None:
    """Check a checkpoint against the list in its folder, if the list has its name.

    Raises:
        CheckpointUnreadable: it is another file than the run has saved, or cannot be read.
    """
    listed = [found for found, name in _listed(path.parent) if name == path.name]
    with as_unreadable(path):
        is_listed = not listed or _hash_of(path) in listed
    if not is_listed:
        raise CheckpointUnreadable(
            f'{path} is not the file that its run saved, by its SHA-256 in {HASHES}: copy it '
            f'again, or delete its line in {HASHES} if you replaced it'
        )


def _hash_of(path: str | Path) -> str:
    with open(path, 'rb') as file:
        return file_digest(file)


def _listed(folder: Path) -> list[tuple[str, str]]:
    """Return the hashes and names in a folder's list. Other lines are left out, such as paths that
    lead out of the folder."""
    place = folder / HASHES
    try:
        # Opening a pipe would wait for a writer.
        text = place.read_text(errors='replace') if place.is_file() else ''
    except OSError:
        return []
    found = map(_LINE.fullmatch, text.splitlines())
    return [(line[1], line[2]) for line in found if line]


def _write(folder: Path, lines: list[tuple[str, str]]) -> None:
    text = ''.join(f'{found}  {name}\n' for found, name in lines)
    atomic_write(folder / HASHES, text.encode(), overwrite=True)
