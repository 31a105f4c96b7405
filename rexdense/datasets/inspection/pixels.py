"""Images that are identical, damaged or of another size than stated, by their decoded pixels."""

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rexdense.datasets.formats.split_folders import SPLIT_NAMES
from rexdense.datasets.images.files import read_upright
from rexdense.datasets.images.headers import read_header
from rexdense.datasets.images.sizes import wrong_image_size
from rexdense.datasets.inspection.findings import ImageEntry, Suspicion
from rexdense.errors import DataError

DAMAGED = 'damaged image'
OTHER_SIZE = 'image of another size than annotated'
IN_TWO_SPLITS = 'image in two splits'
TWICE = 'image twice in a split'
AS_STORED = 'image with an orientation tag, annotated as it is stored'


class _Pixels(NamedTuple):
    digest: bytes | None
    fault: str | None = None
    is_damage: bool = False
    as_stored: str = ''


def pixel_suspicions(images: Mapping[str, Sequence[ImageEntry]]) -> list[Suspicion]:
    """Decode all images. Return those that are damaged, of another size than stated, annotated in
    the orientation in which they are stored, or identical.

    Args:
        images: Images by split.
    """
    entries = [(split, entry) for split, listed in images.items() for entry in listed]
    with ThreadPoolExecutor() as pool:
        decoded = list(pool.map(lambda pair: _digest(pair[1]), entries))
    suspicions = [
        Suspicion(
            DAMAGED if pixels.is_damage else OTHER_SIZE, split, entry.name, pixels.fault, True
        )
        for (split, entry), pixels in zip(entries, decoded, strict=True)
        if pixels.fault
    ]
    suspicions += [
        Suspicion(AS_STORED, split, entry.name, pixels.as_stored)
        for (split, entry), pixels in zip(entries, decoded, strict=True)
        if pixels.as_stored
    ]
    same: dict[bytes, list[tuple[str, ImageEntry]]] = {}
    for pair, pixels in zip(entries, decoded, strict=True):
        if pixels.digest is not None:
            same.setdefault(pixels.digest, []).append(pair)
    for found in same.values():
        suspicions += _doubles(found)
    return suspicions


def _digest(entry: ImageEntry) -> _Pixels:
    try:
        pixels = read_upright(entry.path)
    except DataError as error:
        return _Pixels(None, str(error), True)
    if entry.size and entry.size not in (pixels.shape[:2], _stored_size(entry.path)):
        return _Pixels(None, wrong_image_size(entry.path, pixels.shape[:2], entry.size))
    header = f'{pixels.shape} {pixels.dtype}'.encode()
    digest = hashlib.sha256(header + np.ascontiguousarray(pixels).data).digest()
    as_stored = ''
    if entry.size and entry.size != pixels.shape[:2]:
        # Label Studio states this size and measures boxes on the upright image.
        as_stored = (
            f'annotated as {entry.size[1]} x {entry.size[0]}, upright {pixels.shape[1]} x '
            f'{pixels.shape[0]}: look whether its boxes fit'
        )
    return _Pixels(digest, as_stored=as_stored)


def _stored_size(path: Path) -> tuple[int, int] | None:
    """Return the (height, width) of an image before it is turned upright."""
    with open(path, 'rb') as file:
        header = read_header(file)
    return header and header.stored_size


def _doubles(found: Sequence[tuple[str, ImageEntry]]) -> list[Suspicion]:
    """Return the findings about images with the same pixels. If two splits share an image, a
    cleaned copy keeps it in the later one, which is evaluated."""
    rank = {name: place for place, name in enumerate(SPLIT_NAMES)}
    found = sorted(found, key=lambda pair: rank.get(pair[0], len(rank)))
    last_split, last = found[-1]
    suspicions = []
    for place, (split, entry) in enumerate(found[:-1]):
        if split != last_split:
            detail = f'{last_split} {last.name} has the same pixels'
            suspicions.append(Suspicion(IN_TWO_SPLITS, split, entry.name, detail, True, last.name))
        else:
            following = found[place + 1][1]
            detail = f'{following.name} has the same pixels'
            suspicions.append(Suspicion(TWICE, split, entry.name, detail, other=following.name))
    return suspicions
