"""Parsing and formatting of large numbers: ``10M``, ``4.8 M``, ``0.40 G``."""

from decimal import Decimal, InvalidOperation

from rexdense.errors import InvalidArgument

SCALES = {'': 1, 'K': 10**3, 'M': 10**6, 'G': 10**9}


def parse_count(text: str) -> int:
    """Return the number in a command-line argument: digits, optionally with K, M, G (or B).

    Raises:
        InvalidArgument: ``text`` is not such a number, or not above 0.

    Example:
        >>> parse_count('10M'), parse_count('0.4G'), parse_count('500')
        (10000000, 400000000, 500)
    """
    number, scale = text.strip().upper().replace('B', 'G'), ''
    if number and number[-1] in SCALES:
        number, scale = number[:-1], number[-1]
    try:
        count = Decimal(number) * SCALES[scale]
    except InvalidOperation:
        count = Decimal('nan')
    if not (count.is_finite() and count > 0):
        raise InvalidArgument(f'{text!r} is no size: give a number with K, M or G, such as 10M')
    return int(count)


def format_count(count: int) -> str:
    """Return ``count`` in millions, or in G from 10**9 on, with about three digits.

    Example:
        >>> format_count(4796873), format_count(398370392), format_count(15911534044)
        ('4.80M', '398M', '15.9G')
    """
    scale = 'G' if count >= 10**9 else 'M'
    value = count / SCALES[scale]
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f'{value:.{digits}f}{scale}'
