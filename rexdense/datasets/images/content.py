"""The bytes of images, label maps and depth maps, from files or from the middle of archives."""

import functools
import os
import tarfile
from collections.abc import Mapping
from typing import Any, BinaryIO

from mmengine import fileio

from rexdense.datasets.file_names import not_a_file
from rexdense.datasets.images.files import ImageError, UnreadableImage

ARCHIVE_ENDING = '.tar'
MOST_OPEN = 64
"""Most archives that a process keeps open."""


def read_content(results: Mapping[str, Any], backend_args: dict | None = None) -> bytes:
    """Return the content of an image file of a pipeline.

    Args:
        results: ``img_path``, the path of the image. For an image in a tar file this is
            ``SHARD.tar/MEMBER``, and the member is searched, unless ``archive``, the tar file, is
            given with the ``offset`` of the image's first byte and its ``length``.
        backend_args: Arguments of mmengine's file backends, for images that are not on a disk.

    Raises:
        UnreadableImage: the file is missing, cannot be read, or is a pipe, a device or a folder.
    """
    path = results['img_path']
    try:
        if 'archive' not in results:
            return _whole_file(path, backend_args)
        # No seek: forked dataloader workers share the position in an open file.
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


def read_file(
    path: str,
    what: str,
    backend_args: dict | None = None,
    fault: type[ImageError] = UnreadableImage,
) -> bytes:
    """Return the content of a file of a data set. Raise ``fault`` if it is missing, cannot be read,
    or is a pipe, a device or a folder.

    Args:
        what: Name of the kind of file in messages, such as 'label map'.
        backend_args: Arguments of mmengine's file backends, for files that are not on a disk.
        fault: The class of the error, an ImageError.
    """
    _require_file(path, what, fault)
    try:
        return fileio.get(path, backend_args=backend_args)
    except OSError as error:
        raise fault(f'{what} {path} cannot be read: {error.strerror or error}') from error


def _require_file(path: str, what: str, fault: type[ImageError]) -> None:
    if other := not_a_file(path):
        raise fault(f'{what} {path} {other}; put the file there, or take it out of the data')


def _whole_file(path: str, backend_args: dict | None) -> bytes:
    _require_file(path, 'image', UnreadableImage)
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
