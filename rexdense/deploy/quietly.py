"""Exporters without the notes that they leave on the terminal."""

import contextlib
import logging
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Hold back warnings, and what torch's exporters log below an error.

    They tell of packages that are not needed here (torchvision's operators), of TorchScript's
    retirement, and of sizes that a trace may have fixed, which is compared afterwards.
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
