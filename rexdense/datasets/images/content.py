"""The bytes of an image, from a file of its own or from the middle of an archive."""

import functools
import os
import tarfile
from collections.abc import Mapping
from typing import Any, BinaryIO

from mmengine import fileio

from rexdense.datasets.images.files import UnreadableImage

__all__ = ['read_content']

ARCHIVE_ENDING = '.tar'
MOST_OPEN = 64
"""Archives that a process keeps open."""


def read_content(results: Mapping[str, Any], backend_args: dict | None = None) -> bytes:
    """Return the content of the image file that ``results`` of a pipeline name.

    Args:
        results: ``img_path``, where the image lies, in a tar file ``SHARD.tar/MEMBER``, which is
            looked for in it; at once it is found by ``archive``, the tar file, with the ``offset``
            of the image's first byte and its ``length``.
        backend_args: For mmengine's file backends, where images do not lie on a disk.

    Raises:
        UnreadableImage: it is not there or cannot be read.
    """
    path = results['img_path']
    try:
        if 'archive' not in results:
            return _whole_file(path, backend_args)
        # No seek: loader processes that were forked share the place in an open file.
        file = _opened(results['archive'])
        content = os.pread(file.fileno(), results['length'], results['offset'])
    except OSError as error:
        reason = error.strerror or error
        raise UnreadableImage(f'image {path} cannot be read: {reason}') from error
    if len(content) < results['length']:
        raise UnreadableImage(
            f'image {path} cannot be read: {results["archive"]} ends before it; copy it again'
        )
    return content


def _whole_file(path: str, backend_args: dict | None) -> bytes:
    try:
        return fileio.get(path, backend_args=backend_args)
    except NotADirectoryError:
        archive, mark, member = path.partition(f'{ARCHIVE_ENDING}/')
        if not mark:
            raise
    try:
        with tarfile.open(archive + ARCHIVE_ENDING, 'r:') as shard:
            return shard.extractfile(member).read()
    except (KeyError, AttributeError, tarfile.TarError) as error:
        raise OSError(f'{archive}{ARCHIVE_ENDING} holds no file {member}') from error


@functools.lru_cache(MOST_OPEN)
def _opened(path: str) -> BinaryIO:
    return open(path, 'rb', buffering=0)
