"""Damaged copies of a file, the same in each run."""

import random
from collections.abc import Iterator

__all__ = ['mutants']

HEAD = 400
"""Bytes at the start of a file, its header, which get most of the damage."""


def mutants(content: bytes, count: int, seed: int = 1) -> Iterator[bytes]:
    """Yield copies of ``content`` with one to four bytes or runs changed, removed or inserted."""
    generator = random.Random(seed)
    for _ in range(count):
        damaged = bytearray(content)
        for _ in range(generator.choice([1, 1, 2, 4])):
            within = HEAD if generator.random() < 0.7 else len(damaged)
            place = generator.randrange(min(len(damaged), within))
            way = generator.random()
            if way < 0.6:
                damaged[place] = generator.choice([0, 1, 127, 128, 255, generator.randrange(256)])
            elif way < 0.8:
                del damaged[place : place + generator.randrange(1, 5)]
            else:
                damaged[place:place] = generator.randbytes(generator.randrange(1, 4))
        yield bytes(damaged)
