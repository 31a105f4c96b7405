"""The parser of all programs: errors in one line with a status, closest option names."""

import argparse
import contextlib
import errno
import io
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from rexdense.dependencies import needed_packages
from rexdense.errors import InvalidArgument, RexdenseError, abridged, suggest
from rexdense.memory_shortage import as_out_of_memory
from rexdense.stop_signal import STOPPED, StoppedEarly


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Show the default of an option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False) else super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """An argument parser that raises InvalidArgument, naming the closest known options."""

    def __init__(self, **settings) -> None:
        super().__init__(allow_abbrev=False, formatter_class=_HelpFormatter, **settings)

    def parse_args(self, args=None, namespace=None):
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            options = self._options(parsed)
            option = unknown[0].split('=')[0]
            raise InvalidArgument(
                f'unknown option {option!r}: {suggest(option, options)}'
                if option.startswith('-')
                else f'unexpected argument {option!r}; {self.prog} --help shows what is taken'
            )
        return parsed

    def _options(self, parsed: argparse.Namespace) -> list[str]:
        """Return the long options, including those of the chosen subparser."""
        found = [
            option
            for action in self._actions
            for option in action.option_strings
            if option.startswith('--')
        ]
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                chosen = action.choices.get(getattr(parsed, action.dest, None))
                found += chosen._options(parsed) if chosen else []
        return found

    def error(self, message: str) -> NoReturn:
        raise InvalidArgument(f'{message}; {self.prog} --help shows what is taken')


def parse_size(text: str) -> tuple[int, int]:
    """Parse 'W,H' or 'WxH', in pixels, into (W, H)."""
    parts = text.replace('x', ',').split(',')
    if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(
            f'{text!r} is no size: give width,height in pixels, such as 320,240'
        )
    return int(parts[0]), int(parts[1])


def parse_scales(text: str) -> list[int]:
    """Parse output strides such as '1,2,4'; 'all' returns an empty list."""
    parts = [] if text == 'all' else text.split(',')
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f'{text!r}: give all, or output strides such as 1,2,4')
    return [int(part) for part in parts]


def not_empty(text: str) -> str:
    """Return a text unless it is empty. An empty text comes from an unset shell variable and does
    not mean that the option is unwanted."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f'{text!r} is empty: give a value, or leave it out')
    return text


def positive(kind: type[int] | type[float], or_zero: bool = False) -> Callable[[str], float]:
    """Return an argparse type for finite numbers above 0, or for 0 as well."""

    def parse(text: str) -> float:
        value = _number(text, kind)
        if not (0 < value < math.inf or (or_zero and value == 0)):
            raise argparse.ArgumentTypeError(
                f'{text!r}: give a {"whole " if kind is int else ""}number '
                f'{"of 0 or more" if or_zero else "above 0"}'
            )
        return value

    return parse


def checkpoint_interval(text: str) -> str:
    """Check a checkpoint interval such as 500i or 10min, and return it unchanged."""
    from rexdense.engine.resume.saving import Every  # imports torch

    try:
        Every.parse(text)
    except InvalidArgument as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def random_seed(text: str) -> int:
    """Parse the seed of a random number generator, a 32-bit number as in NumPy."""
    value = _number(text, int)
    if not 0 <= value < 2**32:
        raise argparse.ArgumentTypeError(f'{text!r}: give a whole number from 0 to {2**32 - 1}')
    return value


def fraction(text: str) -> float:
    """Parse a number from 0 to 1."""
    value = _number(text, float)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f'{text!r}: give a number from 0 to 1')
    return value


def _number(text: str, kind: type[int] | type[float]) -> Any:
    """Return the number in a text; NaN, which is in no range, if there is none."""
    try:
        return kind(text)
    except ValueError:
        return math.nan


_RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
_SECONDS_AFTER_THE_FIRST = 5


def _after_the_first_process(at_once: bool) -> str:
    """Return the name of this process if there are several.

    All processes meet most mistakes, and the first one reports them. The others wait until their
    launcher ends them. A process reports a mistake that the first one has not met after it has
    waited.

    Args:
        at_once: Report without waiting, because only this process meets the mistake.
    """
    rank = next((os.environ[name] for name in _RANKS if name in os.environ), '0')
    if rank == '0':
        return ''
    if not at_once:
        # The launcher ends waiting processes by SIGTERM, which needs no message.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        time.sleep(_SECONDS_AFTER_THE_FIRST)
    return f'process {rank}: '


@contextlib.contextmanager
def _as_impossible_path() -> Iterator[None]:
    """Turn errors about paths that no file can have into an InvalidArgument."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise InvalidArgument(
            f'{abridged(error.filename)} is longer than the system allows: give a shorter path'
        ) from error
    except RuntimeError as error:
        # pathlib has no exception of its own for it (Path.expanduser).
        if str(error) != 'Could not determine home directory.':
            raise
        raise InvalidArgument(
            'a path begins with ~ and a name that is no user of this machine: write it out in full'
        ) from error


def run_command(
    program: Callable[[Sequence[str]], int | None], arguments: Sequence[str], name: str
) -> NoReturn:
    """Run a program and exit with the status that it returns, or 0.

    A mistake of the user (a RexdenseError, or a package that is not installed) ends in one line on
    stderr and status 2, or status 1 if a file has unusable content. Any other exception keeps its
    traceback.

    Args:
        program: The program's main function. Its imports may be missing, too.
        arguments: The command line, without the program.
        name: Prefix of the line.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # File names may contain bytes that are not text.
        sys.stdout.reconfigure(errors='backslashreplace')
    try:
        with needed_packages(), as_out_of_memory(), _as_impossible_path():
            status = program(arguments) or 0
        sys.stdout.flush()
    except RexdenseError as error:
        process = _after_the_first_process(getattr(error, 'tells_at_once', False))
        print(f'{name}: error: {process}{" ".join(str(error).split())}', file=sys.stderr)
        status = error.exit_status
    except StoppedEarly:
        print(
            f'{name}: stopped by SIGTERM before or after the training: start it again, with '
            '--resume where it has saved a checkpoint',
            file=sys.stderr,
        )
        status = STOPPED
    except KeyboardInterrupt:
        print(f'{name}: interrupted', file=sys.stderr)
        status = 130
    except BrokenPipeError:
        # The reader of our output (head, less) has closed it; Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 141
    sys.exit(status)
