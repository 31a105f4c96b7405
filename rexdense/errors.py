"""Exceptions for mistakes that a user can fix, and helpers for their messages."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from rexdense.stop_signal import STOPPED

LONGEST_LINE = 300
"""Characters quoted from a message of another package."""
LONGEST_VALUE = 60
"""Characters quoted from a value."""
MOST_TOLD = 3
"""Number of omitted images that a closing line names."""


class RexdenseError(Exception):
    """A mistake that the user can fix.

    The message says what came, what is allowed and what to do next.

    Attributes:
        exit_status: Exit status of a program that it ends: 2 for a wrong request, 1 for a file that
            cannot be used.
    """

    exit_status = 2


class InvalidArgument(RexdenseError, ValueError):
    """An argument that is not allowed."""


class UnwritableFile(InvalidArgument):
    """A file that cannot be written; a file that was there before is unchanged."""


class UnknownName(RexdenseError, LookupError):
    """An unknown name; the message lists the closest ones."""


class MissingDependency(RexdenseError, ImportError):
    """A required package is not installed; the message has the command that installs it."""


class DataError(RexdenseError):
    """Images or annotations that cannot be used as they are."""

    exit_status = 1


class IncompleteResults(DataError):
    """Some of the data could not be used; the results of the rest were written."""


class CheckpointUnreadable(RexdenseError):
    """A file that is no checkpoint, is damaged, or would need unsafe unpickling."""

    exit_status = 1


class CheckpointMismatch(RexdenseError):
    """A readable checkpoint whose tensors do not fit the module; the message names the tensors."""

    exit_status = 1


class GraphMismatch(RexdenseError):
    """An exported graph whose outputs differ from the network's; the message names the worst."""

    exit_status = 1


class LostWorker(RexdenseError):
    """A loader process that died."""

    exit_status = 1


class NonFiniteLoss(RexdenseError):
    """A training loss that is NaN or infinite."""

    exit_status = 1


class OutOfMemory(RexdenseError):
    """The host or a device is out of memory."""


class ProcessLost(RexdenseError):
    """Another process of the run has died or does not answer; its last checkpoint remains.

    Attributes:
        tells_at_once: Whether this process reports it at once, because no other process does.
    """

    exit_status = STOPPED
    tells_at_once = False


def left_out_sentence(errors: Sequence[Exception], total: int, where: str) -> str:
    """Return a sentence about unusable images, with the reasons of the first three.

    Args:
        errors: The error of each unusable image.
        total: Number of all images.
        where: The file or log that names the others.

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
    """Return the first of several items for a message, and the number of the others.

    Args:
        between: Separator of the items.
        last: Separator before the number of the others.

    Example:
        >>> some_of(['a.png', 'b.png'], 3), some_of('abcde', 3), some_of('abc', 2, '; ', '; and ')
        ('a.png, b.png', 'a, b, c and 2 more', 'a; b; and 1 more')
    """
    items = list(map(str, items))
    shown = between.join(items[:most])
    return f'{shown}{last}{len(items) - most} more' if len(items) > most else shown


def abridged(value: Any) -> str:
    """Return the repr of a value, shortened if it is long.

    Example:
        >>> abridged('short'), len(abridged([0] * 1000))
        ("'short'", 63)
    """
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f'{text[:LONGEST_VALUE]}...'


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message, or the name of its type."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:LONGEST_LINE]
