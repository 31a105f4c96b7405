"""Settings of the allocator of host memory."""

import ctypes
import platform

# Parameters of glibc's mallopt (malloc.h).
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_TOP_PAD_BYTES = 256 * 2**20
_state = dict(reused=False)


def reuse_freed_memory() -> bool:
    """Keep freed host memory in the process instead of returning it to the kernel. Return whether
    that was possible.

    glibc maps every block above 32 MiB anew and unmaps it when it is freed, so each large feature
    map causes page faults at every step. This setting applies to the whole process, so only
    programs call it, never a library.
    """
    library = _glibc()
    _state['reused'] = library is not None and all(
        library.mallopt(parameter, value)
        for parameter, value in (
            (_M_MMAP_THRESHOLD, 2**31 - 1),
            (_M_TRIM_THRESHOLD, 2**31 - 1),
            (_M_TOP_PAD, _TOP_PAD_BYTES),
        )
    )
    return _state['reused']


def reuses_freed_memory() -> bool:
    """Return whether :func:`reuse_freed_memory` was called in this process and succeeded."""
    return _state['reused']


def return_freed_memory() -> bool:
    """Release the free host memory of the process to the kernel. Return whether that was possible.

    A forked process has all the freed memory of its parent. It keeps the pages to which the parent
    has written since the fork.
    """
    library = _glibc()
    return library is not None and bool(library.malloc_trim(0))


def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL('libc.so.6') if platform.libc_ver()[0] == 'glibc' else None
