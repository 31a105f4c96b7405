"""Damage at random: to bytes, to JSON, and values that arguments should not have."""

import random
from collections.abc import Sequence
from typing import Any

__all__ = ['damaged', 'damaged_json', 'odd_value']

_BYTES = (0, 1, 10, 127, 128, 255)
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 7, 10**9, 2**63, -(2**31), 10**30),
    *(0.0, -0.0, 0.5, 1.5, -2.5, 1e308, 5e-324, float('nan'), float('inf'), float('-inf')),
    *('', 'x', '1', 'nan', '\0', 'ä' * 300, '../x', '/etc/passwd', '{}', b'bytes'),
    *((), [], {}, [0], (1, 2), [-1], [1, 1], [0.5], ['a'], [[1, 2]], (3, None), {'type': 'ReLU'}),
    *({'type': 'x'}, {'type': None}, {1: 2}, [float('nan')] * 4, [1e308] * 4, [[0, 0, 1, 1]]),
)
"""Values of which most arguments take none or few."""


def odd_value(draw: random.Random, near: Any = None) -> Any:
    """Return a value that an argument should perhaps not have.

    Args:
        near: A value that it may have: half of the numbers that come out are near it.
    """
    if isinstance(near, (int, float)) and not isinstance(near, bool) and draw.random() < 0.5:
        return draw.choice([-near, near + 1, near - 1, near * 2, near * 1000, near / 3, str(near)])
    return draw.choice(ODD)


def damaged(content: bytes, draw: random.Random, tokens: Sequence[bytes] = ()) -> bytes:
    """Return a copy with one to six bytes or runs changed, taken out, put in, doubled or moved, or
    with a token put in; most of it at the start, where headers are."""
    result = bytearray(content)
    for _ in range(draw.choice([1, 1, 1, 2, 3, 6])):
        length = len(result)
        within = min(length, 400) if draw.random() < 0.6 else length
        place = draw.randrange(within + 1)
        run = draw.choice([1, 1, 2, 4, 8, 64])
        way = draw.randrange(8 if tokens else 7)
        if way == 0 and place < length:
            result[place] = draw.choice([*_BYTES, draw.randrange(256)])
        elif way == 1 and place < length:
            result[place] ^= 1 << draw.randrange(8)
        elif way == 2:
            del result[place : place + run]
        elif way == 3:
            result[place:place] = draw.randbytes(run)
        elif way == 4:
            result[place:place] = result[place : place + run] * draw.choice([1, 2, 50])
        elif way == 5:
            # Four or eight bytes of a length that is too large, or negative.
            number = draw.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63, 2**64 - 1])
            size, order = draw.choice([2, 4, 8]), draw.choice(['little', 'big'])
            result[place : place + size] = (number % 256**size).to_bytes(size, order)
        elif way == 6:
            del result[draw.randrange(length + 1) :]
        elif way == 7:
            result[place : place + draw.choice([0, 0, run])] = draw.choice(tokens)
    return bytes(result)


def damaged_json(value: Any, draw: random.Random) -> Any:
    """Return a copy of nested lists and dicts of which one to three values are odd, missing, double
    or under another key."""
    for _ in range(draw.choice([1, 1, 2, 3])):
        value = _damage(value, draw)
    return value


def _damage(value: Any, draw: random.Random) -> Any:
    inner = list(value) if isinstance(value, dict) else list(range(len(value)))
    if not inner:
        return draw.choice(ODD[:-1])
    place = draw.choice(inner)
    copied = dict(value) if isinstance(value, dict) else list(value)
    if isinstance(value[place], (dict, list)) and draw.random() < 0.85:
        copied[place] = _damage(value[place], draw)
        return copied
    way = draw.random()
    if way < 0.6:
        copied[place] = odd_value(draw, value[place])
    elif way < 0.8:
        del copied[place]
    elif isinstance(copied, list):
        copied.append(copied[place])
    else:
        copied[draw.choice(['id', 'image_id', 'x', ''])] = copied.pop(place)
    return copied
