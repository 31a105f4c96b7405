"""Suppression of the exporters' terminal output."""

import contextlib
import logging
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Hide warnings, and torch's log messages below the level of errors.

    They are about packages that are not needed here (torchvision's operators), the deprecation of
    TorchScript, and sizes that a trace may have fixed, which the comparison checks.
    """
    logger = logging.getLogger('torch')
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logger.setLevel(before)
