"""Fixtures of the tests of the page."""

import pytest


@pytest.fixture(autouse=True)
def _fresh_mmengine(fresh_mmengine):
    """Every test leaves mmengine as it was."""
