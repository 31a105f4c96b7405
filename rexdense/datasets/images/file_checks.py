"""Image files looked at before they are needed, by their headers."""

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from rexdense.datasets.file_names import not_a_file
from rexdense.datasets.images.headers import ImageHeader, read_header
from rexdense.datasets.images.sizes import wrong_image_size, wrong_map_size
from rexdense.errors import DataError, some_of

MOST_SECONDS = 60.0
"""Longest time for the check of a split's files; the others are checked when they are read."""

_AT_A_TIME = 256

_in_order: set[int] = set()
"""Samples that this process found in order, by their files' names, times and sizes."""


class MapKind(NamedTuple):
    """Maps that belong to images.

    Attributes:
        name: What messages call one, such as 'label map'.
        read: Returns the map (height, width) of a path, or raises DataError.
    """

    name: str
    read: Callable[[str], object]


class Sample(NamedTuple):
    """An image, and what it must agree with.

    Attributes:
        image: Its path.
        size: (height, width) that its annotation states, if one does.
        map: The path of its map, if it has one.
    """

    image: str
    size: tuple[int, int] | None = None
    map: str | None = None


class Looked(NamedTuple):
    """Findings.

    Attributes:
        damaged: A message for each sample that cannot be decoded, by its place among all.
        looked_at: Number of samples that were looked at.
        samples: Number of all.
    """

    damaged: Mapping[int, str]
    looked_at: int
    samples: int

    def sentences(self, where: str) -> list[str]:
        """Describe it for a user.

        Args:
            where: What the samples are called, such as 'the training data'.
        """
        told = []
        if self.damaged:
            told.append(
                f'{len(self.damaged)} of the {self.looked_at} images of {where} are damaged, '
                'and training goes on without them: '
                f'{some_of(list(self.damaged.values()), 3, "; ", "; and ")}'
            )
        if self.looked_at < self.samples:
            told.append(
                f'{self.looked_at} of the {self.samples} images of {where} were looked at in '
                f'{MOST_SECONDS:.0f} s; the others are when they are read'
            )
        return told


def check_files(
    samples: Sequence[Sample],
    where: str,
    kind: MapKind | None = None,
    may_be_damaged: bool = False,
) -> Looked:
    """Look whether images, and their maps, can be decoded and have the sizes that they should.

    Sizes are those of the headers. A file is decoded only where its header cannot be read, or says
    that it should be longer. Damage that leaves the length alone goes unseen.

    Args:
        where: What messages call them, such as 'the training data'.
        kind: Of the maps.
        may_be_damaged: Whether samples that cannot be decoded are welcome; the answer has them.

    Raises:
        DataError: some have another size than they should, or cannot be decoded; the message names
            the first.
    """
    end = time.monotonic() + MOST_SECONDS
    # Those seen in time come from all over the set.
    order = random.Random(0).sample(range(len(samples)), len(samples))
    faults: dict[int, tuple[str, bool]] = {}
    looked_at = 0
    # They wait for the disk more than they compute.
    threads = min(16, 4 * (os.cpu_count() or 1))
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(order), _AT_A_TIME):
            places = order[start : start + _AT_A_TIME]
            found = pool.map(lambda place: _fault(samples[place], kind), places)
            faults |= {place: fault for place, fault in zip(places, found, strict=True) if fault}
            looked_at += len(places)
            if time.monotonic() > end:
                break
    damaged = {
        place: message for place, (message, is_damage) in sorted(faults.items()) if is_damage
    }
    wrong = [message for _, (message, is_damage) in sorted(faults.items()) if not is_damage]
    refused = wrong if may_be_damaged else [message for _, (message, _) in sorted(faults.items())]
    if may_be_damaged and len(damaged) == len(samples) > 0:
        last = damaged[len(samples) - 1]
        raise DataError(f'none of the {len(samples)} images of {where} can be used: {last}')
    if refused:
        of_all = f'{len(refused)} of the {len(samples)} images of {where} cannot be used: '
        raise DataError((of_all if len(refused) > 1 else '') + some_of(refused, 3, '; ', '; and '))
    return Looked(damaged, looked_at, len(samples))


def _fault(sample: Sample, kind: MapKind | None) -> tuple[str, bool] | None:
    """Return (what is wrong with a sample, whether it is damage), None if nothing is."""
    paths = [path for path in (sample.image, sample.map) if path]
    for path in paths:
        if fault := not_a_file(path):
            return f'{path} {fault}', True
    try:
        key = hash((sample, *(_identity(path) for path in paths)))
        if key in _in_order:
            return None
        image = _header(sample.image, _decoded_image)
        if sample.size and sample.size not in (image.upright_size, image.stored_size):
            return wrong_image_size(sample.image, image.stored_size, sample.size), False
        if sample.map:
            found = _header(sample.map, kind.read).upright_size
            if found != image.upright_size:
                return wrong_map_size(kind.name, sample.map, found, image.upright_size), False
    except DataError as error:
        return str(error), True
    except OSError as error:
        return f'{error.filename or sample.image} cannot be read: {error.strerror or error}', True
    _in_order.add(key)
    return None


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size


def _header(path: str, read: Callable[[str], object]) -> ImageHeader:
    """Return a file's header; where that is in doubt, the decoded image's facts. Raise DataError
    where it cannot be decoded."""
    with open(path, 'rb') as file:
        header = read_header(file)
    if header is None or not header.whole:
        height, width = read(path).shape[:2]
        return header or ImageHeader(width, height)
    return header


def _decoded_image(path: str):
    # OpenCV takes a while to load, and next to no file needs it here.
    from rexdense.datasets.images.files import decode_image

    with open(path, 'rb') as file:
        return decode_image(file.read(), path)
