"""Zip archives, torch's file format: opening, and checks for damage."""

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from rexdense.errors import CheckpointUnreadable

_BLOCK = 1 << 20


@contextlib.contextmanager
def open_archive(file: Path | BinaryIO, name: str) -> Iterator[zipfile.ZipFile]:
    """Open an archive in a context; raise CheckpointUnreadable if it is damaged.

    Args:
        name: The archive's name in error messages.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except CheckpointUnreadable:
        raise
    # zipfile can raise almost any exception for a damaged archive.
    except Exception as error:
        raise CheckpointUnreadable(
            f'{name} is a zip archive, cut off or damaged ({error}): copy or download it again'
        ) from error


def require_checksums(path: Path) -> None:
    """Raise CheckpointUnreadable if the content of an archive does not match its checksums, which
    torch does not check.

    It takes 0.1 s for 100 MB. Files written with ``compute_crc32`` off (see
    ``torch.serialization.set_crc32_options``) have checksums of 0, and pass.
    """
    with open_archive(path, str(path)) as archive:
        records = archive.infolist()
        if not any(record.CRC for record in records):
            return
        for record in records:
            with archive.open(record) as file:
                while file.read(_BLOCK):
                    pass
