"""Messages of mmengine's logger, which passes nothing on to pytest's ``caplog`` by itself."""

import contextlib
import logging
from collections.abc import Iterator

from mmengine.logging import MMLogger


@contextlib.contextmanager
def mmengine_messages(caplog) -> Iterator[list[str]]:
    """Give a list that in the end holds what the ``with`` block logged, debugging aside."""
    messages: list[str] = []
    logger = MMLogger.get_current_instance()
    caplog.clear()
    logger.addHandler(caplog.handler)
    try:
        yield messages
    finally:
        logger.removeHandler(caplog.handler)
        messages += [
            record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG
        ]
