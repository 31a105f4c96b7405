"""The allocator of host memory."""

import ctypes
import platform

# Names of glibc's mallopt parameters (malloc.h).
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_TOP_PAD_BYTES = 256 * 2**20
_state = dict(reused=False)


def reuse_freed_memory() -> bool:
    """Keep freed host memory in the process instead of returning it to the kernel; return whether
    that was possible.

    glibc maps every block above 32 MiB afresh and unmaps it when freed, so that each large feature
    map costs its page faults again at every step. This is a setting of the whole process, so
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
    """Return whether :func:`reuse_freed_memory` was called in this process, and was possible."""
    return _state['reused']


def return_freed_memory() -> bool:
    """Give the host memory that is free in the process back to the kernel; return whether that was
    possible.

    A process that was forked has all the freed memory of its parent, and keeps the pages in which
    the parent has written anew since.
    """
    library = _glibc()
    return library is not None and bool(library.malloc_trim(0))


def _glibc() -> ctypes.CDLL | None:
    return ctypes.CDLL('libc.so.6') if platform.libc_ver()[0] == 'glibc' else None
