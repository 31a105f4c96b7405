"""Safe reading of torch's pickles: only tensors, containers and harmless values."""

import argparse
import functools
import io
import pickle
import pickletools
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from rexdense.errors import CheckpointUnreadable
from rexdense.mmengine_bases import HistoryBuffer

# torch's message about a refused global (torch/_weights_only_unpickler.py).
_REFUSED = re.compile(r'GLOBAL ([\w.]+)')
_HARMLESS_MODULES = ('torch', 'collections', '_codecs', 'numpy', 'mmengine', 'argparse')


def read_pickle(
    file: Path | BinaryIO,
    name: str,
    map_location: Any = 'cpu',
    trust_pickle: bool = False,
    mmap: bool = False,
) -> Any:
    """Read an object that torch saved, in its zip format or the older one.

    Args:
        file: A path, or an open file with the whole content.
        name: The file's name in error messages.
        map_location: As for ``torch.load``.
        trust_pickle: Let the file run any code. Only for files from a trusted source.
        mmap: Map the tensors of a zip file into memory instead of reading them. The file must not
            change then.

    Raises:
        CheckpointUnreadable: the file is damaged, or needs other than the allowed classes.
    """
    options = dict(map_location=map_location, mmap=True if mmap else None)
    try:
        if trust_pickle:
            return torch.load(file, weights_only=False, **options)
        with warnings.catch_warnings(), torch.serialization.safe_globals(_allowed_globals()):
            warnings.filterwarnings('ignore', 'Detected pickle protocol|TypedStorage is deprecated')
            return torch.load(file, weights_only=True, **options)
    # The unpickler can raise almost any exception for a damaged pickle.
    except Exception as error:
        raise CheckpointUnreadable(f'{name} {_fault(error, file, trust_pickle)}') from error


def _fault(error: Exception, file: Path | BinaryIO, trust_pickle: bool) -> str:
    refused = None if trust_pickle else _refused_name(error, file)
    if refused:
        return (
            f'wants to call {refused} while it is read, which weights do not need: save its '
            'tensors alone (torch.save(model.state_dict(), ...)) or, if you trust its maker with '
            'this machine, convert it once with `rexdense convert SRC DST --trust-pickle` '
            '(trust_pickle=True in Python)'
        )
    if 'Unsupported operand' in str(error):
        return (
            'is a pickle of protocol 4 or later, which cannot be read safely: save its tensors '
            'again with torch.save and its default protocol'
        )
    return f'is cut off or damaged ({_cause(error)}): copy or download it again'


def _cause(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # With weights_only, torch puts a page of advice before the cause.
    line = next((line for line in lines if 'Unpickler error' in line), lines[0] if lines else '')
    return f'{type(error).__name__}: {line[:160]}' if line else type(error).__name__


def _refused_name(error: Exception, file: Path | BinaryIO) -> str | None:
    """Return the global that torch refused; None if the file is only damaged."""
    found = _REFUSED.search(str(error))
    if found:
        return found[1]
    if not isinstance(error, pickle.UnpicklingError):
        return None
    # Protocols 4 and 5 are refused at the first opcode, before any global is named.
    foreign = (name for name in _named_globals(file) if name.split('.')[0] not in _HARMLESS_MODULES)
    return next(foreign, None)


def _named_globals(file: Path | BinaryIO) -> Iterator[str]:
    """Yield the globals that the pickles of a file name, without loading any."""
    strings: list[str] = []
    try:
        stream = _pickle_stream(file)
        # The older format is several pickles in sequence, followed by raw data.
        while True:
            for opcode, argument, _ in pickletools.genops(stream):
                if opcode.name == 'GLOBAL':
                    yield argument.replace(' ', '.')
                elif opcode.name == 'STACK_GLOBAL':
                    yield '.'.join(strings[-2:])
                elif isinstance(argument, str):
                    strings.append(argument)
    # A damaged pickle or archive can raise almost any exception here, too.
    except Exception:
        return


def _pickle_stream(file: Path | BinaryIO) -> BinaryIO:
    source = io.BytesIO(file.read_bytes()) if isinstance(file, Path) else file
    source.seek(0)
    if not zipfile.is_zipfile(source):
        source.seek(0)
        return source
    with zipfile.ZipFile(source) as archive:
        name = next(name for name in archive.namelist() if name.endswith('data.pkl'))
        return io.BytesIO(archive.read(name))


@functools.cache
def _allowed_globals() -> list[Any]:
    """Return the types in mmengine's and timm's training files other than tensors: NumPy's numbers,
    logs, options.

    Each entry only creates a value. NumPy's own types are replaced: the file could declare its
    bytes as pointers, which are followed when the array is copied or shown. ``getattr`` is replaced
    by a function that only finds the four statistics of a HistoryBuffer, for which it is used.
    """
    # NumPy 1 and 2 have different module names, and each reads files of both.
    allowed: list[Any] = [
        (function, f'numpy.{module}.multiarray.{name}')
        for module in ('core', '_core')
        for name, function in (('_reconstruct', _empty_array), ('scalar', _number))
    ]
    return [
        *allowed,
        (_Array, 'numpy.ndarray'),
        (_Kind, 'numpy.dtype'),
        slice,
        argparse.Namespace,
        (HistoryBuffer, 'mmengine.logging.history_buffer.HistoryBuffer'),
        (_history_statistic, 'builtins.getattr'),
        (_no_bytes, 'builtins.bytes'),
    ]


class _Kind:
    """The dtype of numbers or strings in a pickle: first its code, then its byte order. It is
    pickled as NumPy's own."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.dtype = np.dtype(code) if isinstance(code, str) else np.dtype(object)
        if self.dtype.kind not in 'biufcSU':
            raise pickle.UnpicklingError('GLOBAL numpy.dtype')

    def __setstate__(self, state: tuple) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])

    def __reduce__(self) -> tuple:
        return self.dtype.__reduce__()


class _Array(np.ndarray):
    """An array of numbers or strings that a pickle fills. It is pickled as NumPy's own."""

    def __new__(cls, *_: Any) -> '_Array':
        raise pickle.UnpicklingError('GLOBAL numpy.ndarray')

    def __setstate__(self, state: tuple) -> None:
        if self.size:
            # A tensor may share the memory of these numbers, which NumPy would free.
            raise pickle.UnpicklingError('GLOBAL numpy.ndarray')
        version, shape, kind, by_columns, content = state
        super().__setstate__((version, shape, kind.dtype, by_columns, content))

    def __reduce__(self) -> tuple:
        return self.view(np.ndarray).__reduce__()


def _empty_array(subtype: type, *_: Any) -> np.ndarray:
    """Create the array that a pickle then fills (NumPy's ``_reconstruct`` creates any class)."""
    if subtype is not _Array:
        raise pickle.UnpicklingError(f'GLOBAL {subtype.__module__}.{subtype.__qualname__}')
    return np.empty(0, np.uint8).view(_Array)


def _number(kind: _Kind, content: bytes) -> np.generic:
    """Return a scalar from its type and bytes in a pickle."""
    return np.ndarray((), kind.dtype, content)[()]


def _no_bytes() -> bytes:
    """Return the content of an empty array (``bytes`` could allocate any length)."""
    return b''


def _history_statistic(owner: type, name: str) -> Callable:
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise pickle.UnpicklingError('GLOBAL builtins.getattr')
    return getattr(owner, name)
