"""``weights.json``: all published pretrained weights, by network, publisher and tag."""

import dataclasses
import fnmatch
import functools
import json
from decimal import Decimal
from pathlib import Path

from rexdense.errors import InvalidArgument, UnknownName, suggest

WEIGHTS = Path(__file__).with_name('weights.json')
IMAGENET_CLASSES = 1000


@dataclasses.dataclass(frozen=True)
class PublishedWeights:
    """A published weight file.

    Attributes:
        network: The network's name in rexdense; for an excluded file, the nearest name.
        publisher: The project, such as 'timm'.
        tag: The file among the publisher's files for this network.
        address: ``https://...``, or ``gdrive:`` and the id of a file on Google Drive.
        format: The ending of the file: pth, pyth, safetensors or ckpt.
        sha256: The whole hash in hexadecimal digits, or its first 8; None if none is published.
        classes: Classes of the head; 0 if the file has no head.
        channel_order: 'RGB' or 'BGR'.
        size: Side of the evaluated images in pixels.
        crop: The share of the shorter side that the evaluation crops.
        interpolation: 'bicubic' or 'bilinear'.
        top1: ImageNet top-1 accuracy in percent, as printed; None if none is.
        top5: ImageNet top-5 accuracy, likewise.
        licence: The published licence; None if none is stated.
        source: The source of the entry.
        excluded: Why the file cannot be loaded; None if it can.
        unverified: What could not be checked; None if all was.
    """

    network: str
    publisher: str
    tag: str
    address: str
    format: str
    sha256: str | None
    classes: int
    channel_order: str
    size: int
    crop: float
    interpolation: str
    top1: str | None
    top5: str | None
    licence: str | None
    source: str
    excluded: str | None = None
    unverified: str | None = None

    @property
    def name(self) -> str:
        """The name in configs and on the command line, such as 'rexnet_1.0:clovaai.in1k'."""
        return f'{self.network}:{self.publisher}.{self.tag}'

    @property
    def may_be_default(self) -> bool:
        """Whether the file may be chosen without its tag: its licence allows commercial use, and
        its head has the 1000 classes of ImageNet or is missing."""
        free = 'NC' not in (self.licence or '').split('-')
        return free and self.excluded is None and self.classes in (0, IMAGENET_CLASSES)


@functools.cache
def load_published_weights() -> tuple[PublishedWeights, ...]:
    """Return all entries, in the order of the file."""
    return tuple(PublishedWeights(**row) for row in json.loads(WEIGHTS.read_text('utf-8')))


def list_pretrained(pattern: str = '*') -> list[str]:
    """Return the names of the published weights that can be loaded.

    Args:
        pattern: Shell pattern of names or networks, such as 'rexnet_1.0', 'rexnet*' or '*:timm.*'.

    Example:
        >>> list_pretrained('rexnet_0.9')
        ['rexnet_0.9:mindcv.910', 'rexnet_0.9:mindcv.910v2']
    """
    return [
        row.name
        for row in load_published_weights()
        if row.excluded is None
        and (fnmatch.fnmatch(row.name, pattern) or fnmatch.fnmatch(row.network, pattern))
    ]


def find_pretrained(network: str, choice: str | bool = True) -> PublishedWeights:
    """Find a published weight file of a network.

    Args:
        network: A name from :func:`rexdense.list_backbones`.
        choice: A publisher ('timm'), a publisher and tag ('timm.nav_in1k'), or True for the best
            top-1 accuracy. Files with a non-commercial licence, or with other classes than
            ImageNet's 1000, must be chosen by their tag.

    Raises:
        UnknownName: no weights are published under that name.
        InvalidArgument: the published weights cannot be loaded.

    Example:
        >>> find_pretrained('rexnet_1.0', 'clovaai').top1
        '77.9'
    """
    rows = [row for row in load_published_weights() if row.network == network]
    names = [f'{row.publisher}.{row.tag}' for row in rows if row.excluded is None]
    if not names:
        raise UnknownName(f'no weights of {network} are published: {_networks(network)}')
    if choice is True:
        candidates = [row for row in rows if row.may_be_default]
    elif not isinstance(choice, str):
        raise InvalidArgument(f'pretrained={choice!r}: give True, or one of {", ".join(names)}')
    elif '.' in choice:
        candidates = [row for row in rows if f'{row.publisher}.{row.tag}' == choice]
    else:
        of_publisher = [row for row in rows if row.publisher == choice]
        candidates = [row for row in of_publisher if row.may_be_default] or [
            row for row in of_publisher if row.excluded is not None
        ]
        if of_publisher and not candidates:
            raise InvalidArgument(
                f'{choice} publishes {network} only under a non-commercial licence or with other '
                f'classes; name the file: {", ".join(row.tag for row in of_publisher)}'
            )
    if not candidates:
        # torchvision's rounding changes three networks, which have names of their own.
        names += [row.name for row in load_published_weights() if row.network == f'{network}_tv']
        known = {*names, *(name.partition('.')[0] for name in names)}
        raise UnknownName(
            f'no weights of {network} are called {choice!r}: {suggest(str(choice), known)}'
        )
    best = max(candidates, key=_preference)
    if best.excluded is not None:
        raise InvalidArgument(f'{best.name} cannot be loaded: {best.excluded}')
    return best


def _preference(row: PublishedWeights) -> tuple[Decimal, bool, bool]:
    """Return the sort key of a file: accuracy to the tenth, which all publishers print, then a
    plain address before Google Drive, then a published hash."""
    accuracy = round(Decimal(row.top1 or 0), 1)
    return accuracy, not row.address.startswith('gdrive:'), row.sha256 is not None


def _networks(network: str) -> str:
    published = {row.network for row in load_published_weights() if row.excluded is None}
    return suggest(network, sorted(published))
