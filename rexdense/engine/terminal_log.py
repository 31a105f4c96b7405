"""mmengine's log on the terminal, freed of dumps and noise; the log file has everything."""

import logging
import re
import sys

from rexdense.destinations import takes_no_more
from rexdense.engine.resume.full_disk import DiskWait, is_full

LONGEST_TERMINAL_LINE = 1000
MOST_TERMINAL_LINES = 20
_NOISE = (
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
    'Distributed training is not used',
    'Exp name:',
    # Told in full by CheckpointMismatch.
    'The model and loaded state dict do not match exactly',
    'paramwise_options',
)
# mmengine's OptimWrapper says it of all runs that go on between two steps of the optimizer. The
# checkpoints have these gradients, and where one has not, the resumed run says so.
_UNTRUE = 'Resumed iteration number is not divisible by'
# A metric as mmengine logs it, named dataset/metric/class.
_BY_CLASS = re.compile(r' {2,}[\w@]+/[\w@]+/[^:]+: \S+')


def make_readable(logger: logging.Logger, disk: DiskWait) -> None:
    """Let a logger show on the terminal what a person reads, and the program end where nobody reads
    it any more, or the disk stays full."""
    logger.addFilter(lambda record: not record.getMessage().startswith(_UNTRUE))
    for handler in logger.handlers:
        _end_on_refusal(handler, disk)
        if type(handler) is logging.StreamHandler:
            handler.addFilter(_TerminalFilter())
            _leave_out_classes(handler)


class _TerminalFilter(logging.Filter):
    """Keep long dumps (environment, config, hooks) and known noise to the log file."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return message.count('\n') < MOST_TERMINAL_LINES and not message.startswith(_NOISE)


def _end_on_refusal(handler: logging.Handler, disk: DiskWait) -> None:
    """Let the program end when the reader of its output went away or the disk of its log takes no
    more; logging would go on and print a traceback for every line."""
    inherited = handler.handleError

    def handle_error(record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if is_full(error):
            # The line is in the buffer of the file.
            disk.write(handler.flush, getattr(handler, 'baseFilename', 'the log'))
            return
        if isinstance(error, BrokenPipeError) or takes_no_more(error):
            raise  # logging calls this while it handles the exception
        inherited(record)

    handler.handleError = handle_error


def _leave_out_classes(handler: logging.Handler) -> None:
    """Let long lines end without the metrics of single classes, which the tables have."""
    inherited = handler.format

    def format_record(record: logging.LogRecord) -> str:
        text = inherited(record)
        return text if len(text) <= LONGEST_TERMINAL_LINE else _BY_CLASS.sub('', text)

    handler.format = format_record
