"""Published weights by name: lookup in the zoo, and download into the cache."""

import functools
import re
from pathlib import Path

from rexdense.arch import list_backbones
from rexdense.checkpoint.download import cache_folder, download
from rexdense.checkpoint.formats.reading import names_checkpoint
from rexdense.dependencies import needed_packages
from rexdense.zoo.weights import PublishedWeights, find_pretrained

_NAME = re.compile(r'([\w.]+)(:[\w.]+)')


def is_published_name(name: str) -> bool:
    """Return whether a checkpoint is named by network and publisher, as 'rexnet_1.0:clovaai', and
    is not a file or work directory."""
    match = _NAME.fullmatch(name)
    return match is not None and match[1] in list_backbones() and not names_checkpoint(Path(name))


def published_file(name: str) -> Path:
    """Return the file of a published checkpoint; download it if it is not in the cache.

    Args:
        name: A network, a colon, and a publisher with or without its tag: 'rexnet_1.0:clovaai',
            'rexnet_1.0:timm.nav_in1k'; see :func:`rexdense.zoo.weights.list_pretrained`.

    Raises:
        UnknownName: no weights are published under that name.
        InvalidArgument: the weights cannot be loaded, or the download folder cannot be written.
        CheckpointUnreadable: the download failed, or its hash is wrong.
        MissingDependency: the file is on Google Drive, and gdown is not installed.
    """
    row, path = _row(name), published_path(name)
    if row.address.startswith('gdrive:'):
        fetch = functools.partial(_fetch_from_drive, row=row, path=path)
        return download(row.name, path, row.sha256, fetch)
    return download(row.address, path, row.sha256)


def published_path(name: str) -> Path:
    """Return the path at which :func:`published_file` keeps a file, which may not exist yet; raise
    UnknownName if no weights are published under that name."""
    return cache_folder() / _file_name(_row(name))


def _row(name: str) -> PublishedWeights:
    network, _, choice = name.partition(':')
    return find_pretrained(network, choice)


def _file_name(row: PublishedWeights) -> str:
    """Return the publisher's file name; if that is too general, one made of the row's entries."""
    own = row.address.rsplit('/', 1)[-1]
    if '/' in row.address and not own.startswith('model.'):
        return own
    return f'{row.network}.{row.publisher}.{row.tag}.{row.format}'


def _fetch_from_drive(part: Path, row: PublishedWeights, path: Path) -> None:
    """Download with gdown, which confirms Google Drive's page for large files."""
    with needed_packages(f'{row.name} lies on Google Drive; put it at {path}, or'):
        import gdown

    try:
        got = gdown.download(id=row.address.removeprefix('gdrive:'), output=str(part))
    except Exception as error:  # gdown's own exceptions, and those of requests
        raise OSError(str(error)) from error
    if got is None:
        raise OSError('gdown gives nothing')
