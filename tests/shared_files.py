"""Reference outputs and small real data sets, if they are beside the project."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

_BESIDE = Path(__file__).resolve().parents[1].parent / 'shared'
SHARED = _BESIDE if _BESIDE.is_dir() else None

needs_shared = pytest.mark.skipif(
    SHARED is None, reason='needs the folder ../shared with reference outputs and data'
)


def golden_cases(*patterns: str) -> list[str]:
    """Return the golden cases that match any of the patterns; empty without ../shared."""
    if SHARED is None:
        return []
    return sorted(
        path.stem for pattern in patterns for path in (SHARED / 'golden').glob(f'{pattern}.json')
    )


def golden_rule():
    """Return the module ``fill.py``, which defines the weights and input of every golden case."""
    spec = importlib.util.spec_from_file_location('fill', SHARED / 'golden' / 'fill.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def golden_meta(name: str) -> dict:
    """Return the content of a golden case's JSON: shapes, keys, sizes."""
    return json.loads((SHARED / 'golden' / f'{name}.json').read_text())


def golden_outputs(name: str) -> dict[str, np.ndarray]:
    """Return the whole outputs of a golden case: the arrays in its npz."""
    with np.load(SHARED / 'golden' / f'{name}.npz') as archive:
        return dict(archive)


def golden_case(name: str) -> tuple[dict, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return (meta, state, outputs): the JSON, the weights by name, and the arrays of the npz."""
    meta = golden_meta(name)
    fill = golden_rule().fill
    state = {key: fill(key, tuple(shape), meta['gamma']) for key, shape in meta['keys']}
    return meta, state, golden_outputs(name)
