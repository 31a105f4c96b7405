"""Messages of mmengine's logger, which does not propagate to pytest's ``caplog``."""

import contextlib
import logging
from collections.abc import Iterator

from mmengine.logging import MMLogger


@contextlib.contextmanager
def mmengine_messages(caplog) -> Iterator[list[str]]:
    """Yield a list that receives the messages of the ``with`` block, except debug messages."""
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
