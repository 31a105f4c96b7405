"""Reports of benchmarks: tables, JSON, and whether the figures are a valid result."""

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rexdense.benchmark.machine import BUSY, describe_machine
from rexdense.benchmark.rounds import ratio, spread
from rexdense.errors import InvalidArgument, abridged, some_of
from rexdense.files.writing import atomic_write
from rexdense.text_table import text_table

WIDEST = 0.15
"""The largest spread of a valid result: the interquartile range of times over their median."""
_ADVICE = 'repeat this on an idle machine'
LARGEST_LOSS = 0.15
"""The share of a kept ratio by which a new one may be lower."""

Kept = Mapping[str, Any] | None
"""What :func:`read_json` returns of an earlier run; None where none is compared."""


def figures_of(
    times: Mapping[str, Sequence[float]],
    facts: Mapping[str, Mapping[str, Any]],
    reference: str,
    macs: int | None = None,
    ceilings: Mapping[str, float] | None = None,
) -> dict[str, dict[str, Any]]:
    """Return the figures of each contestant as plain values.

    ``speed`` is how many times as fast as the reference it is, with its interval and the confidence
    in that; ``share_of_ceiling`` its multiply-accumulates a second over those of a matrix product.

    Args:
        macs: Multiply-accumulates in a pass of the contestants in ``ceilings``.
        ceilings: Multiply-accumulates per second of a matrix product in the contestant's dtype.
    """
    figures = {}
    for name, own in times.items():
        faster = ratio(times[reference], own)
        median = statistics.median(own)
        figures[name] = dict(
            milliseconds=median,
            spread=spread(own),
            speed=faster.value,
            speed_interval=[faster.low, faster.high],
            interval_confidence=faster.confidence,
            **{key: value for key, value in facts[name].items() if value is not None},
            times=list(own),
        )
        if macs is not None and name in (ceilings or {}):
            figures[name]['share_of_ceiling'] = macs / (median / 1e3) / ceilings[name]
    return figures


def doubts(figures: Mapping[str, Mapping[str, Any]], busy: Sequence[float | None]) -> list[str]:
    """Return the reasons why the figures are not a valid result; empty if they are.

    Args:
        busy: The share of the processors that others used, before and after the measurement.
    """
    found = []
    most = max((share for share in busy if share is not None), default=0.0)
    if most > BUSY:
        found.append(f'others took {most:.0%} of the processors, more than {BUSY:.0%}; {_ADVICE}')
    widest = max(figures, key=lambda name: figures[name]['spread'])
    if figures[widest]['spread'] > WIDEST:
        found.append(
            f'the times of {widest} spread by {figures[widest]["spread"]:.0%}, more than '
            f'{WIDEST:.0%}; {_ADVICE}'
        )
    return found


def result_of(
    benchmark: Mapping[str, Any],
    busy: Sequence[float | None],
    reference: str,
    figures: Mapping[str, Mapping[str, Any]],
    **counts: Any,
) -> dict[str, Any]:
    """Return a measurement as plain values: settings, machine, figures, and doubts about them."""
    return dict(
        benchmark=benchmark,
        machine=describe_machine(),
        **counts,
        busy=busy,
        reference=reference,
        figures=figures,
        why_no_result=doubts(figures, busy),
    )


def require_same(
    kept: Kept,
    benchmark: Mapping[str, Any],
    reference: str,
    contestants: Iterable[str],
) -> None:
    """Check, before minutes go into a measurement, that kept figures are of the same benchmark.

    Args:
        kept: None is of any.
        reference: The contestant that the others are compared with.
        contestants: Their names.

    Raises:
        InvalidArgument: they are of another benchmark, or of other contestants.
    """
    if kept is None:
        return
    here, there = _stated(benchmark), _stated(kept['benchmark'])
    other = [
        f'{name} is {abridged(there.get(name))} there and {abridged(here.get(name))} here'
        for name in {**there, **here}
        if there.get(name) != here.get(name)
    ]
    if other:
        raise InvalidArgument(
            f'the kept figures are of another benchmark: {some_of(other, between="; ")}; give the '
            'same options, or leave --kept out'
        )
    if (kept['reference'], kept['figures'].keys()) != (reference, set(contestants)):
        raise InvalidArgument(
            f'the kept figures are of other contestants, {some_of(kept["figures"], 6)}, beside '
            f'{kept["reference"]}: write new ones by --json'
        )


def losses(found: Mapping[str, Any], kept: Mapping[str, Any]) -> list[str]:
    """Return a line for each contestant that has lost speed against kept figures: its ratio to the
    reference has dropped by more than :data:`LARGEST_LOSS`.

    Args:
        kept: Of the same benchmark and contestants, see :func:`require_same`.
    """
    lines = []
    for name, before in kept['figures'].items():
        now = found['figures'][name]['speed']
        if now < before['speed'] * (1 - LARGEST_LOSS):
            lines.append(
                f'{name} is {now:.2f} times as fast as {found["reference"]}; it was '
                f'{before["speed"]:.2f} times'
            )
    return lines


def _stated(benchmark: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a benchmark but for those that are left out; figures that were kept
    before there was an option lack it."""
    own = json.loads(json.dumps(benchmark))
    return {name: value for name, value in own.items() if value is not None}


def read_json(path: Path) -> dict[str, Any]:
    """Read the figures that :func:`write_json` wrote.

    Raises:
        InvalidArgument: it is not such a file.
    """
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        _ = content['benchmark'].keys(), content['reference']
        for own in content['figures'].values():
            own['speed'] = float(own['speed'])
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidArgument(
            f'{path} is no file of figures ({type(error).__name__}): write one by rexdense '
            'benchmark --json'
        ) from error
    return content


def table_of(figures: Mapping[str, Mapping[str, Any]], reference: str) -> str:
    """Return the figures as a table."""
    optional = {
        'resident': ('resident MB', lambda value: f'{value / 1e6:.0f}'),
        'kept': ('kept MB', lambda value: f'{value / 1e6:.0f}'),
        'share_of_ceiling': ('of ceiling', lambda value: f'{value:.0%}'),
        'images_per_second': ('images/s', lambda value: f'{value:.1f}'),
        'worker': ('worker MB', lambda value: f'{value / 1e6:.0f}'),
        'average_precision': ('AP', lambda value: f'{value:.4f}'),
        'size': ('file MB', lambda value: f'{value / 1e6:.1f}'),
    }
    shown = {key: each for key, each in optional.items() if any(key in f for f in figures.values())}
    # That of all contestants, who have the same rounds; not rounded up.
    sure = math.floor(next(iter(figures.values()))['interval_confidence'] * 100)
    titles = [each[0] for each in shown.values()]
    header = ['', 'ms', 'spread', f'x {reference}', f'{sure} %', *titles]
    rows = [
        [
            name,
            f'{own["milliseconds"]:.1f}',
            f'{own["spread"]:.0%}',
            f'{own["speed"]:.2f}',
            '{:.2f}-{:.2f}'.format(*own['speed_interval']),
            *(text(own[key]) if key in own else '' for key, (_, text) in shown.items()),
        ]
        for name, own in figures.items()
    ]
    return text_table([header, *rows])


def write_json(path: Path, content: Mapping[str, Any], overwrite: bool) -> Path:
    """Write the figures.

    Raises:
        UnwritableFile: the file exists, or cannot be written.
    """
    text = json.dumps(content, indent=2) + '\n'
    return atomic_write(path, text.encode(), overwrite, make_folder=True)
