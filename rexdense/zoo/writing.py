"""How this package puts files in their place."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from rexdense.errors import InvalidArgument

__all__ = ['replace_file']


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Put a new file in the place of ``path``, at once and only when it is complete.

    Args:
        write: Writes the file that it is given the path of.

    Raises:
        InvalidArgument: the folder is not there or cannot be written to.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=f'.{path.name}-', dir=path.parent) as aside:
            written = Path(aside, path.name)
            write(written)
            os.replace(written, path)
    except OSError as error:
        reason = error.strerror or error
        raise InvalidArgument(f'cannot write {path}: {reason}; choose another place') from error
