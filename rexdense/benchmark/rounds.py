"""Times measured in turns, and their statistics."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class Runs(Protocol):
    """Interface of something timed: ``run()`` returns the milliseconds of one turn."""

    def run(self) -> float: ...


def take_turns(
    contestants: Mapping[str, Runs], rounds: int, warm_up: int = 2
) -> dict[str, list[float]]:
    """Return the milliseconds of each contestant in each round, after warm-up rounds.

    In a round, the contestants run one after the other, so that a slow machine slows all of them.
    """
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(warm_up + rounds):
        for name, contestant in contestants.items():
            times[name].append(contestant.run())
    return {name: own[warm_up:] for name, own in times.items()}


class Ratio(NamedTuple):
    """A ratio of times with its interval.

    Attributes:
        value: The median over the rounds.
        low, high: The bounds between which the median lies with ``confidence``.
        confidence: At least 0.95; with fewer than 6 rounds, which cannot give as much, that of the
            smallest and the largest: 0.94 of 5, 0.75 of 3, 0 of a single one.
    """

    value: float
    low: float
    high: float
    confidence: float


def ratio(times: Sequence[float], reference: Sequence[float]) -> Ratio:
    """Return the ratio of ``times`` to ``reference``, round by round.

    The interval is based on order statistics, which assume nothing about the noise (Conover 1999,
    section 3.2).

    Example:
        >>> ratio([2, 4, 6, 8, 10, 12], [1, 2, 3, 4, 5, 5])
        Ratio(value=2.0, low=2.0, high=2.4, confidence=0.96875)
    """
    found = sorted(a / b for a, b in zip(times, reference, strict=True))
    count = len(found)

    def share(rank: int) -> float:
        """How likely the median has just so many of the values on one of its sides."""
        return 2 * math.comb(count, rank) / 2**count

    first, outside = 0, share(0)
    while outside + share(first + 1) <= 0.05:
        first += 1
        outside += share(first)
    return Ratio(statistics.median(found), found[first], found[count - 1 - first], 1 - outside)


def spread(times: Sequence[float]) -> float:
    """Return the interquartile range as a share of the median.

    Example:
        >>> spread([9, 10, 10, 11])
        0.05
    """
    if len(times) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(times, n=4, method='inclusive')
    return round((high - low) / middle, 4)
