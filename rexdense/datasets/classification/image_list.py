"""Lists of images and classes as text, with ``path label`` or ``path,class`` per line."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from rexdense.datasets.classification.file_index import FileIndex, labels_of
from rexdense.datasets.classification.image_table import read_table
from rexdense.datasets.classification.listing_cache import ListingCache
from rexdense.datasets.file_names import find_files
from rexdense.datasets.images.folders import IMAGE_ENDINGS
from rexdense.datasets.text_files import MOST_LIST_BYTES, read_text
from rexdense.errors import DataError, suggest

MOST_NAMED = 3
TRIED_ENDINGS = ('.JPEG', *(ending for ending in IMAGE_ENDINGS if ending != '.jpeg'))
"""Endings tried for images that a list names without one, in this order; ImageNet's first."""


def synset_of(text: str) -> str | None:
    """Return the synset at the beginning of a text; None if there is none.

    Example:
        >>> synset_of('n01440764 tench, Tinca tinca')
        'n01440764'
    """
    match = re.match(r'n\d{8}(?=\s|$)', text)
    return match and match[0]


def read_image_list(
    path: Path, folder: Path, classes: Sequence[str] | None = None, cache: Path | None = None
) -> tuple[tuple[str, ...], FileIndex]:
    """Read a list of images with their classes.

    A ``.csv`` or ``.tsv`` file is read by
    :func:`~rexdense.datasets.classification.image_table.read_table`. Any other file has a path and
    a class per line, separated by the last tab or else by the last blank. Lines that begin with #
    are skipped. Images that are listed without an ending, as in ImageNet's lists, are searched with
    ``TRIED_ENDINGS``. If a class begins with a synset, only the synset is used.

    If every class is a whole number, the numbers are the labels, from 0, unless all are among
    ``classes``. Otherwise they are names.

    Args:
        path: The list.
        folder: The folder that its paths are relative to.
        classes: Names in the order of the labels; None takes them from the list, sorted.
        cache: Folder for the cached result. The list is read again, and its images are searched
            again, if the size or modification time of the list or the modification time of a folder
            of images has changed.

    Raises:
        DataError: the list is missing or empty, a line cannot be read, an image is missing or has
            two classes, or a class is unknown.
    """
    identity = _identity(path)

    def unchanged(record: dict) -> bool:
        return record['identity'] == identity and all(
            os.stat(place).st_mtime_ns == time for place, time in record['folders']
        )

    def read() -> dict:
        rows = list(_rows(path))
        if not rows:
            raise DataError(f'{path} lists no image; give a path and a class a line')
        images = _find(path, folder, [image for image, _ in rows])
        places = {os.path.join(folder, os.path.dirname(image)) for image in images}
        folders = [(place, os.stat(place).st_mtime_ns) for place in sorted(places)]
        words = [word for _, word in rows]
        _require_one_class(path, images, words)
        return dict(identity=identity, folders=folders, images=images, words=words)

    # One list may be read below several folders.
    key = Path(f'{path.resolve()}{os.pathsep}{folder.resolve()}')
    record = ListingCache(cache).get(key, unchanged, read)
    names, labels = _labels(path, record['images'], record['words'], classes)
    return names, FileIndex(folder, record['images'], labels)


def _identity(path: Path) -> list[int]:
    """Return the size and modification time of a list; nothing if it cannot be read, which is
    reported when it is read."""
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def _find(path: Path, folder: Path, images: list[str]) -> list[str]:
    """Return the path below ``folder`` of each image of a list."""
    bare = [place for place, name in enumerate(images) if not name.lower().endswith(IMAGE_ENDINGS)]
    named = sorted({*range(len(images))} - {*bare})
    found: list[str | None] = [None] * len(images)
    for ending, places in [('', named), *((ending, bare) for ending in TRIED_ENDINGS)]:
        places = [place for place in places if found[place] is None]
        if not places:
            continue
        names = [images[place] + ending for place in places]
        for place, file in zip(places, find_files(folder, names), strict=True):
            found[place] = file
    missing = [image for image, file in zip(images, found, strict=True) if file is None]
    if missing:
        tried = (
            f'; names without an ending get {", ".join(TRIED_ENDINGS)}'
            if None in (found[place] for place in bare)
            else ''
        )
        raise DataError(
            f'{path} lists {len(missing)} of {len(images)} images that are not in {folder} (first '
            f'{", ".join(missing[:MOST_NAMED])}{tried})'
        )
    return found


def _require_one_class(path: Path, images: list[str], words: list[str]) -> None:
    """Raise DataError if an image that is listed several times, for oversampling, has two
    classes."""
    known: dict[str, str] = {}
    for image, word in zip(images, words, strict=True):
        if known.setdefault(image, word) != word:
            raise DataError(
                f'{path} gives {image} two classes, {known[image]!r} and {word!r}: leave one of '
                'them; an image has one class'
            )


def _labels(
    path: Path, images: list[str], words: list[str], classes: Sequence[str] | None
) -> tuple[tuple[str, ...], list[int]]:
    """Return the class names, and the label of each image."""
    there = set(words)
    if all(re.fullmatch(r'[+-]?\d+', word) for word in there) and not there <= set(classes or ()):
        numbers = labels_of(path, words)
        names = tuple(classes or map(str, range(max(max(numbers), 0) + 1)))
        for image, word, number in zip(images, words, numbers, strict=True):
            if not 0 <= number < len(names):
                raise DataError(
                    f'{path}: {image} has the label {word}, but there are {len(names)} '
                    f'classes, 0 to {len(names) - 1}'
                )
        return names, numbers
    names = tuple(classes) if classes is not None else tuple(sorted(there))
    places = {name: index for index, name in enumerate(names)}
    unknown = next((word for word in words if word not in places), None)
    if unknown is not None:
        raise DataError(f'{path}: the class {unknown!r} is not known: {suggest(unknown, names)}')
    return names, [places[word] for word in words]


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the image and the class of each line."""
    delimiter = {'.csv': ',', '.tsv': '\t'}.get(path.suffix.lower())
    for number, image, word in read_table(path, delimiter) if delimiter else _text_rows(path):
        if not image or not word:
            raise DataError(f'{path}, line {number}: give an image and its class')
        yield image, synset_of(word) or word


def _text_rows(path: Path) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(read_text(path, MOST_LIST_BYTES).splitlines(), start=1):
        if line.strip() and not line.startswith('#'):
            image, _, word = line.strip().rpartition('\t' if '\t' in line.strip() else ' ')
            yield number, image.strip(), word.strip()
