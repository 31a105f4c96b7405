"""Fixtures of the tests of the engine."""

import pytest


@pytest.fixture(autouse=True)
def _fresh_mmengine(fresh_mmengine):
    """Every test of the engine leaves mmengine as it was."""
