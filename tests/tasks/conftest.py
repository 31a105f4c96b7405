"""Fixtures of the tests of the tasks."""

import pytest


@pytest.fixture(autouse=True)
def _fresh_mmengine(fresh_mmengine):
    """Every test of the tasks leaves mmengine as it was."""
