"""Classified images in tar files, read by their position in the file.

A million small files are slow to list and open if many machines share a disk; a hundred tar files
are not. Each archive is listed once. An image is then read as a number of bytes at an offset, so
the data set has a length and random access. mmengine's samplers shuffle all of it and divide it
equally among ranks, and a resumed run continues at the exact image.

The webdataset package reads the same files as a stream. That is better for storage without random
access, such as a pipe or object storage. But a stream has no length, is shuffled only in a window,
can hang a distributed run if shards are uneven and not counted, and cannot be resumed within an
epoch. It would also be one more dependency. Archives made for webdataset can be read here.
"""

import os
import tarfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from rexdense.datasets.classification.file_index import (
    FileIndex,
    TextArray,
    check_known,
    labels_of,
)
from rexdense.datasets.classification.listing_cache import ListingCache
from rexdense.datasets.images.folders import IMAGE_ENDINGS, entries_of, is_data
from rexdense.errors import DataError

LABEL_ENDING = '.cls'
LONGEST_LABEL = 1024


class ShardIndex(FileIndex):
    """Images in archives: their names, positions and labels in arrays.

    Args:
        folder: The folder of the archives.
        shards: Names of the archives.
        shard: For each image, the index of its archive in ``shards``.
        spans: For each image, the offset of its first byte and its length, (images, 2).
        paths: For each image, its name in the archive.
        labels: The label of each image.
    """

    def __init__(
        self,
        folder: Path,
        shards: Sequence[str],
        shard: Sequence[int],
        spans: np.ndarray,
        paths: Iterable[str],
        labels: Sequence[int],
    ) -> None:
        super().__init__(folder, paths, labels)
        self.shards = TextArray(shards)
        self._shard = np.asarray(shard, np.int32)
        self._spans = np.asarray(spans, np.int64).reshape(-1, 2)

    def describe(self, index: int) -> dict[str, Any]:
        archive = self.folder / self.shards[int(self._shard[index])]
        offset, length = map(int, self._spans[index])
        return dict(
            img_path=f'{archive}/{self.path(index)}',
            archive=str(archive),
            offset=offset,
            length=length,
        )

    def subset(self, places: Iterable[int]) -> 'ShardIndex':
        places = list(places)
        shards = [self.shards[number] for number in range(len(self.shards))]
        return ShardIndex(
            self.folder,
            shards,
            self._shard[places],
            self._spans[places],
            map(self.path, places),
            self.labels[places],
        )


def find_shards(folder: Path) -> list[str]:
    """Return the sorted names of the tar files in a folder; none if it is not a folder."""
    if not folder.is_dir():
        return []
    return sorted(
        entry.name
        for entry in entries_of(folder)
        if entry.name.endswith('.tar') and entry.name[0] != '.' and os.path.isfile(entry.path)
    )


def scan_shards(
    folder: Path, classes: Sequence[str] | None = None, cache: Path | None = None
) -> tuple[tuple[str, ...], ShardIndex]:
    """List the images in the tar files of a folder, by archive and in the order of the archive.

    The class of an image is the first of these: the content, a number or a name, of the member with
    its name and the ending ``.cls``, as webdataset writes it; the folder of the image; the name of
    the archive, as in ImageNet's archives with one class each. The last is not used if another
    member with the name of an image, such as ``.json`` or ``.txt``, may have its class.

    Args:
        folder: The folder of the archives, which must not be compressed.
        classes: Names in the order of the labels; None takes those of the archives, sorted.
        cache: Folder for the cached lists. An archive is listed again if its size or modification
            time has changed.

    Raises:
        DataError: there are no archives, an archive cannot be read or is compressed, there are no
            images, or an image has no class or one that is not in ``classes``.
    """
    shards = find_shards(folder)
    if not shards:
        raise DataError(f'{folder} holds no .tar files')
    with ThreadPoolExecutor() as pool:
        listed = list(pool.map(lambda name: _members_of(folder / name, cache), shards))
    words = [word for record in listed for word in record['classes']]
    if not words:
        raise DataError(
            f'no image in the {len(shards)} archives of {folder}; looked for '
            f'{", ".join(IMAGE_ENDINGS)}; unpack archives that lie in archives'
        )
    names, labels = _labels(folder, words, classes)
    return names, ShardIndex(
        folder,
        shards,
        np.repeat(np.arange(len(shards)), [len(record['classes']) for record in listed]),
        [span for record in listed for span in record['spans']],
        (path for record in listed for path in record['paths']),
        labels,
    )


def _labels(
    folder: Path, words: list[str], classes: Sequence[str] | None
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the class names, and the label of each image."""
    found = sorted(set(words))
    if all(word.isdecimal() for word in found) and not set(found) <= set(classes or ()):
        numbers = labels_of(folder, words)
        highest = max(numbers)
        names = tuple(classes or map(str, range(highest + 1)))
        if highest >= len(names):
            raise DataError(
                f'{folder} has the label {highest}, but there are {len(names)} classes, 0 to '
                f'{len(names) - 1}'
            )
        return names, np.array(numbers)
    names = tuple(classes) if classes is not None else tuple(found)
    check_known(folder, found, names)
    places = {name: label for label, name in enumerate(names)}
    return names, np.array([places[word] for word in words])


def _members_of(path: Path, cache: Path | None) -> dict:
    """Return ``paths``, ``spans`` and ``classes`` of the images in an archive. Use the cache if it
    is current."""
    status = path.stat()
    identity = [status.st_size, status.st_mtime_ns]
    return ListingCache(cache).get(
        path,
        lambda record: record['identity'] == identity,
        lambda: dict(identity=identity, **_read_members(path)),
    )


def _read_members(path: Path) -> dict:
    images: list[tuple[str, tuple[int, int]]] = []
    labels: dict[str, str] = {}
    others: dict[str, str] = {}
    try:
        # 'r:' refuses compressed archives, whose members have no offset to read from.
        with tarfile.open(path, 'r:') as archive:
            for member in archive:
                if not member.isreg():
                    continue
                name = PurePosixPath(member.name)
                is_image = name.suffix.lower() in IMAGE_ENDINGS
                if is_image and all(map(is_data, name.parts)):
                    images.append((member.name, (member.offset_data, member.size)))
                elif name.suffix == LABEL_ENDING:
                    content = archive.extractfile(member).read(LONGEST_LABEL)
                    labels[member.name.removesuffix(LABEL_ENDING)] = content.decode().strip()
                elif not is_image:
                    others.setdefault(_key(name), member.name)
            # tarfile takes a truncated header for the end, which is a block of zeros.
            archive.fileobj.seek(archive.offset)
            if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError('it ends before its end mark')
    except (OSError, tarfile.TarError, UnicodeDecodeError) as error:
        raise DataError(
            f'{path} cannot be read as a tar file without compression ({error}); copy it again, or '
            'unpack a compressed one'
        ) from error
    return dict(
        paths=[name for name, _ in images],
        spans=[span for _, span in images],
        classes=[_class_of(name, labels, others, path) for name, _ in images],
    )


def _key(name: PurePosixPath) -> str:
    """Return the key that all members of a webdataset sample share: the name up to its first
    dot."""
    return str(name.parent / name.name.partition('.')[0])


def _class_of(name: str, labels: dict[str, str], others: dict[str, str], path: Path) -> str:
    """Return the class of a member. Raise DataError if other images have label members and this one
    has none, or if its class may be in a member that is not read.

    Args:
        name: Name of the member.
        labels: Content of the label members, by their names without the ending.
        others: Names of the members that are neither images nor labels, by their keys.
        path: Path of the archive.
    """
    key = _key(PurePosixPath(name))
    whole = str(PurePosixPath(name).with_suffix(''))
    if labels:
        label = labels.get(whole) or labels.get(key)
        if not label:
            raise DataError(f'{path}: {name} has no class; give it a member {whole}{LABEL_ENDING}')
        return label
    folder = PurePosixPath(name).parent.name
    if not folder and key in others:
        raise DataError(
            f'{path}: {name} has no class; {others[key]} is not read: give it a member '
            f'{whole}{LABEL_ENDING} with its class, or put the images into folders named after '
            'their classes'
        )
    return folder or path.stem
