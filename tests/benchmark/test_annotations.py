"""Memory of a process that reads the samples of an annotation file."""

import os

import pytest

from rexdense.benchmark.workloads import annotations
from rexdense.errors import InvalidArgument


def test_what_goes_wrong_in_the_process_stays_there(monkeypatch):
    """The child must not return and repeat the parent's work."""

    def refuse():
        raise FileNotFoundError('/proc/self/smaps_rollup')

    monkeypatch.setattr(annotations, '_own_bytes', refuse)
    own = os.getpid()
    try:
        with pytest.raises(InvalidArgument, match='smaps_rollup of Linux'):
            annotations._bytes_of_worker([])
    finally:
        if os.getpid() != own:
            os._exit(1)
