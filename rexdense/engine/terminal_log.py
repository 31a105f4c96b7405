"""mmengine's log on the terminal, without dumps and noise; the log file has everything."""

import logging
import re
import sys

from rexdense.engine.resume.full_disk import DiskWait, is_full
from rexdense.files.destinations import takes_no_more

LONGEST_TERMINAL_LINE = 1000
MOST_TERMINAL_LINES = 20
_NOISE = (
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
    'Distributed training is not used',
    'Exp name:',
    # CheckpointMismatch reports this in full.
    'The model and loaded state dict do not match exactly',
    'paramwise_options',
)
# mmengine's OptimWrapper logs this for all runs that resume between two optimizer steps. The
# checkpoints have these gradients, and if one has not, the resumed run reports it.
_UNTRUE = 'Resumed iteration number is not divisible by'
# A metric in mmengine's log, named dataset/metric/class.
_BY_CLASS = re.compile(r' {2,}[\w@]+/[\w@]+/[^:]+: \S+')


def make_readable(logger: logging.Logger, disk: DiskWait) -> None:
    """Make a logger show on the terminal only what is useful to a reader, and end the program if
    the output is no longer read or the disk stays full."""
    logger.addFilter(lambda record: not record.getMessage().startswith(_UNTRUE))
    for handler in logger.handlers:
        _end_on_refusal(handler, disk)
        if type(handler) is logging.StreamHandler:
            handler.addFilter(_TerminalFilter())
            _leave_out_classes(handler)


class _TerminalFilter(logging.Filter):
    """Filter that keeps long dumps (environment, config, hooks) and known noise off the
    terminal."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return message.count('\n') < MOST_TERMINAL_LINES and not message.startswith(_NOISE)


def _end_on_refusal(handler: logging.Handler, disk: DiskWait) -> None:
    """Make the program end when the reader of its output is gone or the disk of its log accepts no
    more data. Otherwise logging would print a traceback for every line."""
    inherited = handler.handleError

    def handle_error(record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if is_full(error):
            # The line is in the file's buffer.
            disk.write(handler.flush, getattr(handler, 'baseFilename', 'the log'))
            return
        if isinstance(error, BrokenPipeError) or takes_no_more(error):
            raise  # logging calls this while it handles the exception
        inherited(record)

    handler.handleError = handle_error


def _leave_out_classes(handler: logging.Handler) -> None:
    """End long lines before the metrics of single classes, which the tables show."""
    inherited = handler.format

    def format_record(record: logging.LogRecord) -> str:
        text = inherited(record)
        return text if len(text) <= LONGEST_TERMINAL_LINE else _BY_CLASS.sub('', text)

    handler.format = format_record
