"""The files of an image folder and their classes, kept compactly and cached between runs."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from rexdense.datasets.classification.listing_cache import ListingCache
from rexdense.datasets.file_names import not_a_folder
from rexdense.datasets.images.folders import (
    IMAGE_ENDINGS,
    entries_of,
    is_data,
    is_folder,
    tell_unreadable,
    unread_images,
    unread_sentence,
)
from rexdense.errors import DataError

MOST_CLASSES = 1_000_000
"""Far above the 21841 of ImageNet-21k."""
_LONGEST_LABEL = 20


class TextArray:
    """A million short texts in two arrays, which dataloader workers share without copies."""

    def __init__(self, texts: Iterable[str]) -> None:
        encoded = [os.fsencode(text) for text in texts]
        self._text = np.frombuffer(b''.join(encoded), np.uint8)
        self._ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        begin = self._ends[index - 1] if index % len(self) else 0
        return os.fsdecode(self._text[begin : self._ends[index]].tobytes())

    @property
    def nbytes(self) -> int:
        """Size of both arrays in bytes."""
        return self._text.nbytes + self._ends.nbytes


class FileIndex:
    """Paths and labels of a million files in arrays.

    Args:
        folder: The folder that the paths are relative to.
        paths: Paths with '/' between folders.
        labels: The label of each path.
        unread: Number of further images of unsupported kinds, by file ending.
    """

    def __init__(
        self,
        folder: Path,
        paths: Iterable[str],
        labels: Sequence[int],
        unread: Mapping[str, int] | None = None,
    ) -> None:
        self.folder = folder
        self.unread = dict(unread or {})
        self._paths = TextArray(paths)
        self.labels = np.asarray(labels, np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    def path(self, index: int) -> str:
        """Return the path of an image."""
        return self._paths[index]

    def describe(self, index: int) -> dict[str, Any]:
        """Return the keys by which :mod:`rexdense.datasets.images.content` reads an image."""
        return dict(img_path=str(self.folder / self.path(index)))

    def subset(self, places: Iterable[int]) -> 'FileIndex':
        """Return an index of only the files at ``places``."""
        places = list(places)
        return FileIndex(self.folder, map(self.path, places), self.labels[places], self.unread)


def class_folders(folder: Path) -> tuple[str, ...]:
    """Return the sorted names of the class folders in a folder. Raise DataError if it is missing,
    cannot be read, or has none."""
    if fault := not_a_folder(folder):
        raise DataError(f'{folder} {fault}; an image folder holds train/<class>/ and val/<class>/')
    found = sorted(
        entry.name for entry in entries_of(folder) if is_data(entry.name) and is_folder(entry)
    )
    if not found:
        raise DataError(
            f'{folder} holds no folders; it must hold one for each class, or a list must name the '
            'class of each image (ann_file)'
        )
    return tuple(found)


def scan_classes(
    folder: Path, classes: Sequence[str] | None = None, cache: Path | None = None
) -> tuple[tuple[str, ...], FileIndex]:
    """List the images below a folder of class folders, sorted by class and by name.

    Args:
        folder: A folder with one folder per class. Images may be in subfolders of these.
        classes: The class folders in the order of the labels; None takes all, sorted by name.
        cache: Folder for the cached file list. The files are listed again if the modification time
            of a folder has changed, as it does when a file is added or removed.

    Raises:
        DataError: the folder is missing, or a folder in it cannot be read; there are no class
            folders or no images; there are other classes than ``classes``; or a class has a link to
            another class or to a parent folder.
    """
    found = class_folders(folder)
    names = tuple(classes) if classes is not None else found
    check_known(folder, found, names)
    there = set(found)
    with ThreadPoolExecutor() as pool:
        listed = list(
            pool.map(
                lambda name: _files_of(folder, name, cache) if name in there else ([], {}), names
            )
        )
    paths = [path for files, _ in listed for path in files]
    unread = sum((Counter(counts) for _, counts in listed), Counter())
    if not paths:
        raise DataError(
            f'no image below {folder}; looked for {", ".join(IMAGE_ENDINGS)} in its class folders'
            + (f'; {unread_sentence(unread)}' if unread else '')
        )
    labels = np.repeat(np.arange(len(names)), [len(files) for files, _ in listed])
    return names, FileIndex(folder, paths, labels, unread)


def check_known(folder: Path, found: Iterable[str], classes: Iterable[str]) -> None:
    """Raise DataError if a folder has classes that are not in ``classes``."""
    known = set(classes)
    strange = [name for name in found if name not in known]
    if strange:
        raise DataError(
            f'{folder} has {len(strange)} classes that are not among the {len(known)} of the '
            f'model or of the training images (first {strange[0]!r}); take them out, or name the '
            'classes'
        )


def labels_of(place: Path, words: Sequence[str]) -> list[int]:
    """Return the labels that are written as whole numbers from 0.

    Raise DataError for a number that can only be a name, such as an article number: with as many
    classes as it would need, memory would run out.

    Args:
        place: The file or folder of the labels, for messages.
    """
    numbers = [int(word) if len(word) <= _LONGEST_LABEL else MOST_CLASSES for word in words]
    highest = max(numbers)
    if highest >= MOST_CLASSES:
        word = words[numbers.index(highest)]
        shown = word if len(word) <= _LONGEST_LABEL else f'{word[:_LONGEST_LABEL]}...'
        raise DataError(
            f'{place} has the label {shown}; labels count the classes from 0, and are below '
            f'{MOST_CLASSES}: where the numbers are names, put a letter before each, or name all '
            "in metainfo=dict(classes=...) of the config's data sets"
        )
    return numbers


def _files_of(folder: Path, name: str, cache: Path | None) -> tuple[list[str], dict[str, int]]:
    """Return the images of a class, relative to ``folder``, and the numbers of unsupported images
    by file ending. Use the cache if it is current."""

    def unchanged(record: dict) -> bool:
        return all(os.stat(folder / place).st_mtime_ns == time for place, time in record['folders'])

    def read() -> dict:
        files, folders, unread = [], [], Counter()
        walk = os.walk(folder / name, onerror=tell_unreadable, followlinks=True)
        for place, inner, names in walk:
            inner[:] = sorted(filter(is_data, inner))
            for link in inner:
                _require_no_way_out(folder, name, os.path.join(place, link))
            names = sorted(filter(is_data, names))
            unread += unread_images(names)
            relative = os.path.relpath(place, folder)
            folders.append((relative, os.stat(place).st_mtime_ns))
            files += [
                f'{relative}/{file}' for file in names if file.lower().endswith(IMAGE_ENDINGS)
            ]
        return dict(folders=folders, files=files, unread=unread)

    record = ListingCache(cache).get(folder / name, unchanged, read)
    return record['files'], record['unread']


def _require_no_way_out(folder: Path, name: str, link: str) -> None:
    """Raise DataError if a folder inside a class is a link to a parent folder, which is an endless
    loop, or to another class, whose images would have two labels."""
    if not os.path.islink(link):
        return
    target, above = os.path.realpath(link), os.path.realpath(os.path.dirname(link))
    split, own = os.path.realpath(folder), os.path.realpath(folder / name)
    if _lies_in(above, target) or (_lies_in(target, split) and not _lies_in(target, own)):
        raise DataError(
            f'{link} is a link to {target}, which holds it or is of another class: take the link '
            'out; an image has one class'
        )


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ''))
