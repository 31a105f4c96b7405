"""Python's collector of circular references while large files are read."""

import gc
import json

import pytest

from rexdense.benchmark.workloads.annotations import drawn_annotations
from rexdense.datasets.coco.annotations import read_annotations
from rexdense.datasets.garbage_collection import collector_paused
from rexdense.errors import DataError


def test_it_is_on_again_afterwards():
    with pytest.raises(ValueError), collector_paused():
        with collector_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
        raise ValueError
    assert gc.isenabled()
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_annotations_are_read_without_it(tmp_path):
    path = tmp_path / 'annotations.json'
    path.write_bytes(drawn_annotations(300, 2000))
    collected = []
    gc.callbacks.append(lambda phase, about: collected.append(about['generation']))
    try:
        annotations = read_annotations(path)
    finally:
        gc.callbacks.pop()
    assert len(annotations.dataset['annotations']) == 2000
    # Where the pause ends, the next object may set it off.
    assert len(collected) <= 2
    path.write_text(json.dumps([]))
    with pytest.raises(DataError):
        read_annotations(path)
    assert gc.isenabled()
