"""Checks of image files by their headers before a run."""

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
"""Most seconds for the check of a split; the remaining files are checked when they are read."""

_AT_A_TIME = 256

_in_order: set[int] = set()
"""Samples without a fault, by the names, times and sizes of their files."""


class MapKind(NamedTuple):
    """A kind of map that belongs to an image.

    Attributes:
        name: Name of the kind in messages, such as 'label map'.
        read: Returns the map (height, width) of a path, or raises DataError.
    """

    name: str
    read: Callable[[str], object]


class Sample(NamedTuple):
    """An image, and what it must agree with.

    Attributes:
        image: Path of the image.
        size: (height, width) in its annotation, if stated there.
        map: Path of its map, if it has one.
    """

    image: str
    size: tuple[int, int] | None = None
    map: str | None = None


class Looked(NamedTuple):
    """Result of a check.

    Attributes:
        damaged: A message for each sample that cannot be decoded, by its index.
        looked_at: Number of samples that were checked.
        samples: Number of all samples.
    """

    damaged: Mapping[int, str]
    looked_at: int
    samples: int

    def sentences(self, where: str) -> list[str]:
        """Describe the result for a user.

        Args:
            where: Name of the samples, such as 'the training data'.
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
    """Check that images and their maps can be decoded and have the right sizes.

    Sizes are read from the headers. A file is decoded only if its header cannot be read, or states
    that the file should be longer. Damage that does not change the length is not detected.

    Args:
        where: Name of the samples in messages, such as 'the training data'.
        kind: The kind of the maps.
        may_be_damaged: Whether samples that cannot be decoded are allowed; the result lists them.

    Raises:
        DataError: samples have a wrong size or cannot be decoded; the message names the first ones.
    """
    end = time.monotonic() + MOST_SECONDS
    # Random, so that the samples checked in time come from all over the set.
    order = random.Random(0).sample(range(len(samples)), len(samples))
    faults: dict[int, tuple[str, bool]] = {}
    looked_at = 0
    # The threads wait for the disk more than they compute.
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
    """Return (the fault of a sample, whether it is damage); None if there is none."""
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
    """Return the header of a file; if that is in doubt, the same facts from the decoded image.
    Raise DataError if it cannot be decoded."""
    with open(path, 'rb') as file:
        header = read_header(file)
    if header is None or not header.whole:
        height, width = read(path).shape[:2]
        return header or ImageHeader(width, height)
    return header


def _decoded_image(path: str):
    # OpenCV is slow to import, and hardly any file needs it here.
    from rexdense.datasets.images.files import decode_image

    with open(path, 'rb') as file:
        return decode_image(file.read(), path)
