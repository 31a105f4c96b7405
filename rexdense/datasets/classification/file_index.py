"""The files of an image folder and their classes, kept compactly and cached between runs."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from rexdense.errors import DataError, UnwritableFile
from rexdense.files import atomic_write

__all__ = ['FileIndex', 'IMAGE_ENDINGS', 'scan_classes']

IMAGE_ENDINGS = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
CACHE_VERSION = 1


class FileIndex:
    """Paths and labels of a million files in three arrays, which loader processes share.

    Args:
        paths: Relative to a root, '/' between folders.
        labels: One a path.
    """

    def __init__(self, paths: Sequence[str], labels: Sequence[int]) -> None:
        encoded = [os.fsencode(path) for path in paths]
        self._text = np.frombuffer(b''.join(encoded), np.uint8)
        self._ends = np.cumsum([len(path) for path in encoded], dtype=np.int64)
        self.labels = np.asarray(labels, np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    def path(self, index: int) -> str:
        """Return the path at a place."""
        begin = self._ends[index - 1] if index % len(self) else 0
        return os.fsdecode(self._text[begin : self._ends[index]].tobytes())

    def subset(self, places: Iterable[int]) -> 'FileIndex':
        """Return an index of the files at some places."""
        places = list(places)
        return FileIndex([self.path(place) for place in places], self.labels[places])


def scan_classes(
    folder: Path, classes: Sequence[str] | None = None, cache: Path | None = None
) -> tuple[tuple[str, ...], FileIndex]:
    """List the images below a folder of class folders, sorted by class and by name.

    Args:
        folder: Holds one folder a class; images may lie in folders inside it.
        classes: The class folders in the order of the labels; None takes all, sorted by name.
        cache: Folder for the list of files. It is read again unless a folder has changed since
            (by the modification times of all folders, which adding or taking away a file
            renews).

    Raises:
        DataError: the folder is missing, has no class folders or no images, or holds other classes
            than ``classes``.
    """
    if not folder.is_dir():
        what = 'is a file' if folder.exists() else 'is not there'
        raise DataError(f'{folder} {what}; an image folder holds train/<class>/ and val/<class>/')
    found = sorted(
        entry.name for entry in os.scandir(folder) if entry.is_dir() and entry.name[0] != '.'
    )
    if not found:
        raise DataError(f'{folder} holds no folders; it must hold one for each class')
    names = tuple(classes) if classes is not None else tuple(found)
    strange = [name for name in found if name not in set(names)]
    if strange:
        raise DataError(
            f'{folder} has {len(strange)} classes that are not among the {len(names)} of the '
            f'model or of the training images (first {strange[0]!r}); take them out, or name the '
            'classes'
        )
    with ThreadPoolExecutor() as pool:
        listed = list(
            pool.map(lambda name: _files_of(folder, name, cache) if name in found else [], names)
        )
    paths = [path for files in listed for path in files]
    if not paths:
        raise DataError(
            f'no image below {folder}; looked for {", ".join(IMAGE_ENDINGS)} in its class folders'
        )
    labels = np.repeat(np.arange(len(names)), [len(files) for files in listed])
    return names, FileIndex(paths, labels)


def _files_of(folder: Path, name: str, cache: Path | None) -> list[str]:
    """Return the images of a class, relative to ``folder``, from the cache if it is current."""
    kept = None
    if cache is not None:
        digest = hashlib.sha256(os.fsencode(folder.resolve() / name)).hexdigest()[:24]
        kept = cache / f'files-{digest}.json'
        try:
            record = json.loads(kept.read_text(encoding='utf-8', errors='surrogateescape'))
            if record['version'] == CACHE_VERSION and all(
                os.stat(folder / place).st_mtime_ns == time for place, time in record['folders']
            ):
                return record['files']
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
    files, folders = [], []
    for place, inner, names in os.walk(folder / name, followlinks=True):
        inner.sort()
        relative = os.path.relpath(place, folder)
        folders.append((relative, os.stat(place).st_mtime_ns))
        files += [
            f'{relative}/{file}'
            for file in sorted(names)
            if file.lower().endswith(IMAGE_ENDINGS) and file[0] != '.'
        ]
    if kept is not None:
        _keep(kept, dict(version=CACHE_VERSION, folders=folders, files=files))
    return files


def _keep(path: Path, record: dict) -> None:
    """Write the cache, if it can be written: without it the next run only takes longer."""
    content = json.dumps(record).encode('utf-8', errors='surrogateescape')
    with contextlib.suppress(UnwritableFile):
        atomic_write(path, content, overwrite=True, make_folder=True)
