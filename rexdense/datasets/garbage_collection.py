"""Millions of objects made at once, without the garbage collector looking through them."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Hold back Python's collector of circular references, which else goes through all objects
    again and again while a large file is read."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
