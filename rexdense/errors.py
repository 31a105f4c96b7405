"""Exceptions that a user can mend, and what their messages are made of."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from rexdense.stop_signal import STOPPED

LONGEST_LINE = 300
"""Characters of another package's message that are repeated."""
LONGEST_VALUE = 60
"""Characters of a value that are repeated."""
MOST_TOLD = 3
"""Images that were left out, and are named in a closing line."""


class RexdenseError(Exception):
    """A mistake that the user can mend.

    The message says what came, what is allowed and what to do next.

    Attributes:
        exit_status: That of a program which it ends: 2 where something else must be asked for, 1
            where a file holds what cannot be used.
    """

    exit_status = 2


class InvalidArgument(RexdenseError, ValueError):
    """A value outside what the called rule allows."""


class UnwritableFile(InvalidArgument):
    """A file that cannot be written where it was to go; what was there before is untouched."""


class UnknownName(RexdenseError, LookupError):
    """A name that no registered thing bears; the message lists the closest ones."""


class MissingDependency(RexdenseError, ImportError):
    """A package that is needed is not installed; the message has the command that installs it."""


class DataError(RexdenseError):
    """Images or annotations that cannot be used as they are."""

    exit_status = 1


class IncompleteResults(DataError):
    """Some of the data could not be used; the results of all others are there."""


class CheckpointUnreadable(RexdenseError):
    """A file that is no checkpoint, is damaged, or would need unsafe unpickling."""

    exit_status = 1


class CheckpointMismatch(RexdenseError):
    """A readable checkpoint whose tensors do not fit the module; the message names the tensors."""

    exit_status = 1


class GraphMismatch(RexdenseError):
    """An exported graph that does not compute what the network does; the message names the worst
    output."""

    exit_status = 1


class LostWorker(RexdenseError):
    """A process that loads images has ended before its time."""

    exit_status = 1


class NonFiniteLoss(RexdenseError):
    """Training met a loss that is NaN or infinite."""

    exit_status = 1


class OutOfMemory(RexdenseError):
    """The host or a device has no memory left for what was asked."""


class ProcessLost(RexdenseError):
    """Another of the processes that work together has ended or does not answer; what they did until
    their last checkpoint is there.

    Attributes:
        tells_at_once: No other process tells it.
    """

    exit_status = STOPPED
    tells_at_once = False


def left_out_sentence(errors: Sequence[Exception], total: int, where: str) -> str:
    """Return a sentence about images that cannot be used, with the reasons of the first three.

    Args:
        errors: What is wrong with each.
        total: Number of images, with those that can be used.
        where: What names the others.

    Example:
        >>> left_out_sentence([ValueError('image a.png is empty')], 12, 'the list')
        '1 of 12 images left out: image a.png is empty'
    """
    said = '; '.join(map(str, errors[:MOST_TOLD]))
    more = len(errors) - MOST_TOLD
    said += f'; and {more} more, which {where} names' if more > 0 else ''
    return f'{len(errors)} of {total} images left out: {said}'


def suggest(name: str, allowed: Iterable[str]) -> str:
    """Return the end of an error message: the names closest to ``name``, or all of a short list.

    Example:
        >>> suggest('rexnet_1.1', ['rexnet_1.0', 'rexnet_1.3', 'resnext50_32x4d'])
        "did you mean 'rexnet_1.3' or 'rexnet_1.0'?"
    """
    allowed = sorted(allowed)
    close = difflib.get_close_matches(str(name), allowed, n=3, cutoff=0.5)
    if close:
        return f'did you mean {" or ".join(repr(candidate) for candidate in close)}?'
    if len(allowed) <= 12:
        return f'allowed are {", ".join(allowed)}'
    return f'there are {len(allowed)} names, from {allowed[0]!r} to {allowed[-1]!r}'


def some_of(items: Iterable[Any], most: int = 3, between: str = ', ', last: str = ' and ') -> str:
    """Return the first of several things for a message, and how many more there are.

    Args:
        between: What parts them.
        last: What parts the number of the others from them.

    Example:
        >>> some_of(['a.png', 'b.png'], 3), some_of('abcde', 3), some_of('abc', 2, '; ', '; and ')
        ('a.png, b.png', 'a, b, c and 2 more', 'a; b; and 1 more')
    """
    items = list(map(str, items))
    shown = between.join(items[:most])
    return f'{shown}{last}{len(items) - most} more' if len(items) > most else shown


def abridged(value: Any) -> str:
    """Return how Python writes a value, of a long one the beginning: foreign values have any size.

    Example:
        >>> abridged('short'), len(abridged([0] * 1000))
        ("'short'", 63)
    """
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f'{text[:LONGEST_VALUE]}...'


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message; of one without, the name of its type."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:LONGEST_LINE]
