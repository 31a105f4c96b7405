"""File lists cached between runs; each is valid as long as its source is unchanged."""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from rexdense.errors import UnwritableFile
from rexdense.files.writing import atomic_write

VERSION = 4


class ListingCache:
    """A folder with a JSON file for each list.

    Args:
        folder: The folder, created if necessary; None caches nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def get(
        self, place: Path, is_current: Callable[[dict], bool], read: Callable[[], dict]
    ) -> dict:
        """Return the list of a folder or file from the cache if it is current, else from ``read``.

        A list that cannot be written is not an error: the next run only takes longer.

        Args:
            place: The folder or file that is listed.
            is_current: Whether a cached list is current. Any exception, as for a record of another
                form, counts as no.
            read: Reads the list.
        """
        if self.folder is None:
            return read()
        digest = hashlib.sha256(os.fsencode(place.resolve())).hexdigest()[:24]
        kept = self.folder / f'files-{digest}.json'
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            record = json.loads(kept.read_text(encoding='utf-8', errors='surrogateescape'))
            if record['version'] == VERSION and is_current(record):
                return record
        record = dict(version=VERSION, **read())
        content = json.dumps(record).encode('utf-8', errors='surrogateescape')
        with contextlib.suppress(UnwritableFile):
            atomic_write(kept, content, overwrite=True, make_folder=True)
        return record
