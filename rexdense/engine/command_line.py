"""What all programs share: one line and status 2 for a mistake, closest option names."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from rexdense.errors import InvalidArgument, RexdenseError, suggest

__all__ = ['Parser', 'parse_size', 'run_command']


class Parser(argparse.ArgumentParser):
    """An argument parser that raises InvalidArgument, naming the closest known options."""

    def __init__(self, **settings) -> None:
        super().__init__(
            allow_abbrev=False, formatter_class=argparse.ArgumentDefaultsHelpFormatter, **settings
        )

    def parse_args(self, args=None, namespace=None):
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            options = [
                option
                for action in self._actions
                for option in action.option_strings
                if option.startswith('--')
            ]
            option = unknown[0].split('=')[0]
            raise InvalidArgument(
                f'unknown option {option!r}: {suggest(option, options)}'
                if option.startswith('-')
                else f'unexpected argument {option!r}; {self.prog} --help shows what is taken'
            )
        return parsed

    def error(self, message: str) -> NoReturn:
        raise InvalidArgument(f'{message}; {self.prog} --help shows what is taken')


def parse_size(text: str) -> tuple[int, int]:
    """Parse 'W,H' or 'WxH', in pixels, into (W, H)."""
    parts = text.replace('x', ',').split(',')
    if len(parts) != 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(
            f'{text!r} is no size: give width,height in pixels, such as 320,240'
        )
    return int(parts[0]), int(parts[1])


def positive(kind: type) -> Callable[[str], float]:
    """Return an argparse type for numbers above 0."""

    def parse(text: str):
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if not value > 0:
            raise argparse.ArgumentTypeError(f'{text!r}: give a number above 0')
        return value

    return parse


def run_command(main: Callable[[Sequence[str] | None], int | None]) -> NoReturn:
    """Run a program's main function and exit with what it returns, or 0.

    A user's mistake, a RexdenseError, ends in one line on stderr and status 2.
    """
    name = Path(sys.argv[0]).name
    try:
        status = main(None) or 0
        sys.stdout.flush()
    except RexdenseError as error:
        print(f'{name}: error: {" ".join(str(error).split())}', file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        print(f'{name}: interrupted', file=sys.stderr)
        status = 130
    except BrokenPipeError:
        # The reader of our output (head, less) went away; Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 141
    sys.exit(status)
