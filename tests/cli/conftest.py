"""Fixtures of the tests of the programs."""

import pytest


@pytest.fixture(autouse=True)
def _fresh_mmengine(fresh_mmengine):
    """Every test of the programs leaves mmengine as it was."""
