"""Zip archives, the form in which torch saves: opened, and checked for damage."""

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from rexdense.errors import CheckpointUnreadable

_BLOCK = 1 << 20


@contextlib.contextmanager
def open_archive(file: Path | BinaryIO, name: str) -> Iterator[zipfile.ZipFile]:
    """Open an archive for what is read of it within; raise CheckpointUnreadable where it is
    damaged.

    Args:
        name: What error messages call it.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except CheckpointUnreadable:
        raise
    # zipfile raises nearly anything of a damaged archive.
    except Exception as error:
        raise CheckpointUnreadable(
            f'{name} is a zip archive, cut off or damaged ({error}): copy or download it again'
        ) from error


def require_checksums(path: Path) -> None:
    """Raise CheckpointUnreadable unless the content of an archive has its checksums, which torch
    does not look at when it reads.

    It takes a tenth of a second for 100 MB. Files written with ``compute_crc32`` off (see
    ``torch.serialization.set_crc32_options``) have 0 for each checksum, and pass.
    """
    with open_archive(path, str(path)) as archive:
        records = archive.infolist()
        if not any(record.CRC for record in records):
            return
        for record in records:
            with archive.open(record) as file:
                while file.read(_BLOCK):
                    pass
