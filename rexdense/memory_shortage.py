"""Out-of-memory errors of the host and of devices, as one line."""

import contextlib
import re
from collections.abc import Iterator

from rexdense.errors import OutOfMemory, RexdenseError

# Messages of torch on a CPU (c10/core/impl/alloc_cpu.cpp), CUDA and Ascend, and of OpenCV.
_SHORT = re.compile(
    r"out of memory|DefaultCPUAllocator: (?:not enough|can't allocate) memory|bad_alloc"
    r'|CUBLAS_STATUS_ALLOC_FAILED|Insufficient memory',
    re.IGNORECASE,
)
_LONGEST = 160


@contextlib.contextmanager
def as_out_of_memory() -> Iterator[None]:
    """Turn out-of-memory errors into an OutOfMemory with a message of one line."""
    try:
        yield
    except RexdenseError:
        raise
    except Exception as error:
        if not is_shortage(error):
            raise
        raise OutOfMemory(
            f'no memory is left ({_said(error)}): give smaller images (--scale), fewer of them at '
            'once (--batch-size) or fewer --workers; training takes --amp and --accumulate too, '
            'and goes on with --resume where it has saved a checkpoint'
        ) from error


def is_shortage(error: Exception) -> bool:
    """Return whether an exception says that no memory is left."""
    if isinstance(error, MemoryError):
        return True
    known = isinstance(error, RuntimeError) or type(error).__module__ == 'cv2'
    return known and bool(_SHORT.search(str(error)))


def _said(error: Exception) -> str:
    """Return the message without source locations; for a loader process, the last line of the
    traceback that torch repeats."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    line = lines[-1] if lines[0].startswith('Caught ') else lines[0]
    line = re.sub(r'^\[enforce fail at \S+\] (?:err == 0\. )?', '', line)
    return line if len(line) <= _LONGEST else f'{line[:_LONGEST]}...'
