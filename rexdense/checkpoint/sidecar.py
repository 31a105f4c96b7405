"""The sidecar: a JSON file that describes exported weights."""

import hashlib
import json
from pathlib import Path
from typing import Any, BinaryIO

from rexdense.errors import CheckpointUnreadable

DIGEST = 'sha256'
"""The key of the weight file's hash."""


def sidecar_path(path: str | Path) -> Path:
    """Return the path of a weight file's sidecar: ``FILE.json``, with the suffix appended.

    So ``a.pth`` and ``a.safetensors`` can be in the same folder.
    """
    path = Path(path)
    return path.with_name(f'{path.name}.json')


def read_sidecar(path: Path) -> dict[str, Any]:
    """Read the sidecar of a weight file; empty if there is none. Raise CheckpointUnreadable if it
    was written for other weights, or the weights were damaged since."""
    beside = sidecar_path(path)
    try:
        said = json.loads(beside.read_bytes()) if path.is_file() and beside.is_file() else {}
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(said, dict) or DIGEST not in said:
        return {}
    with path.open('rb') as file:
        found = file_digest(file)
    if said[DIGEST] != found:
        raise CheckpointUnreadable(
            f'{path} has the sha256 {found[:12]}..., {beside.name} was written for '
            f'{str(said[DIGEST])[:12]}...: copy the two again, or delete {beside.name} if it '
            'belongs to other weights'
        )
    return said


def file_digest(file: BinaryIO) -> str:
    """Return the sha256 of an open file's content."""
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(2**20):
        digest.update(chunk)
    return digest.hexdigest()
