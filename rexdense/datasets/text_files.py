"""Files of annotations, lists and class names, read whole up to a size limit."""

from pathlib import Path

from rexdense.datasets.file_names import not_a_file
from rexdense.errors import DataError

CLASS_FILE = 'classes.txt'
"""File of the class names of a data set, one per line in the order of the labels."""
MOST_LIST_BYTES = 2 * 2**30
"""Largest list of images in bytes; that of the 14 million of ImageNet-21k has less than one GiB."""
MOST_NAMES_BYTES = 4 * 2**20
"""Largest list of class names in bytes; that of the 21841 of ImageNet-21k has one MiB."""


def read_limited(path: Path, most: int) -> bytes:
    """Return the content of a file.

    Args:
        most: Largest size in bytes.

    Raises:
        DataError: the file is missing, cannot be read, is larger, or is a named pipe or a device,
            which may never end.
    """
    if other := not_a_file(path):
        raise DataError(f'{path} {other}')
    try:
        with open(path, 'rb') as file:
            content = file.read(most + 1)
    except (OSError, ValueError) as error:  # ValueError of a NUL in the name
        reason = getattr(error, 'strerror', None) or error
        name = str(path).replace('\0', '\\0')
        raise DataError(f'{name} cannot be read ({reason})') from error
    if len(content) > most:
        raise DataError(f'{path} is longer than {most // 2**20} MiB, and is not read')
    return content


def read_text(path: Path, most: int) -> str:
    """Return the content of a UTF-8 text file, without a byte order mark.

    Args:
        most: Largest size in bytes.

    Raises:
        DataError: the file cannot be read, see :func:`read_limited`, or is no such text.
    """
    try:
        return read_limited(path, most).decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise DataError(f'{path} is no UTF-8 text: save it as UTF-8') from error
