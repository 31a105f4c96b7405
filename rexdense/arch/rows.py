"""Every named network: one row each."""

import dataclasses
import fnmatch
import functools
from collections.abc import Sequence
from typing import Any

from rexdense.arch.levels import Architecture, FeatureLevel, resolve_out_indices
from rexdense.arch.rexnet import ReXNetLiteRule, ReXNetRule
from rexdense.errors import InvalidArgument, UnknownName, suggest

__all__ = ['ROWS', 'architecture', 'channels', 'feature_levels', 'list_backbones', 'rule_arguments']

ROWS: dict[str, Any] = {
    'rexnet_0.9': ReXNetRule(width_mult=0.9),
    'rexnet_1.0': ReXNetRule(width_mult=1.0),
    'rexnet_1.3': ReXNetRule(width_mult=1.3),
    'rexnet_1.5': ReXNetRule(width_mult=1.5),
    'rexnet_2.0': ReXNetRule(width_mult=2.0),
    'rexnet_2.2': ReXNetRule(width_mult=2.2),
    'rexnet_3.0': ReXNetRule(width_mult=3.0),
    'rexnet_lite_1.0': ReXNetLiteRule(width_mult=1.0),
    'rexnet_lite_1.3': ReXNetLiteRule(width_mult=1.3),
    'rexnet_lite_1.5': ReXNetLiteRule(width_mult=1.5),
    'rexnet_lite_2.0': ReXNetLiteRule(width_mult=2.0),
    'rexnetr_1.0': ReXNetRule(width_mult=1.0, channel_divisor=8),
    'rexnetr_1.3': ReXNetRule(width_mult=1.3, channel_divisor=8),
    'rexnetr_1.5': ReXNetRule(width_mult=1.5, channel_divisor=8),
    'rexnetr_2.0': ReXNetRule(width_mult=2.0, channel_divisor=8),
    'rexnetr_3.0': ReXNetRule(width_mult=3.0, channel_divisor=8),
}


def list_backbones(pattern: str = '*') -> list[str]:
    """Return the names that match a shell pattern, in the order of the table.

    Example:
        >>> list_backbones('rexnet_lite_*')
        ['rexnet_lite_1.0', 'rexnet_lite_1.3', 'rexnet_lite_1.5', 'rexnet_lite_2.0']
    """
    return [name for name in ROWS if fnmatch.fnmatchcase(name, pattern)]


def rule_arguments(rule: type) -> tuple[str, ...]:
    """Return the keywords that a family's rule takes."""
    return tuple(field.name for field in dataclasses.fields(rule))


def architecture(name: str, **overrides: Any) -> Architecture:
    """Return the network called ``name``, with any argument of its family's rule replaced.

    Raises:
        UnknownName: no row bears the name.
        InvalidArgument: the rule does not take an override, or refuses its value.

    Example:
        >>> architecture('rexnet_1.0', width_mult=1.7).levels[-1]
        FeatureLevel(name='c5', channels=314, stride=32)
    """
    if name not in ROWS:
        raise UnknownName(f'no backbone is called {name!r}: {suggest(name, ROWS)}')
    return _build(ROWS[name], tuple(sorted(overrides.items())))


@functools.lru_cache(maxsize=None)
def _build(row: Any, overrides: tuple[tuple[str, Any], ...]) -> Architecture:
    allowed = rule_arguments(type(row))
    for argument, _ in overrides:
        if argument not in allowed:
            raise InvalidArgument(f'{type(row).__name__} takes no {argument!r}: {suggest(argument, allowed)}')
    return dataclasses.replace(row, **dict(overrides)).build()


def feature_levels(name: str, output_stride: int = 32, **overrides: Any) -> tuple[FeatureLevel, ...]:
    """Return the five feature levels c1 to c5 of a network, without building it.

    Example:
        >>> [level.channels for level in feature_levels('rexnet_1.0')]
        [16, 38, 61, 128, 185]
    """
    return architecture(name, **overrides).with_output_stride(output_stride).levels


def channels(name: str, out_indices: Sequence[int] = (1, 2, 3, 4), **overrides: Any) -> list[int]:
    """Return the channels of the levels that a neck or head reads: what a config puts into ``in_channels``.

    Example:
        >>> channels('rexnet_1.0')
        [38, 61, 128, 185]
    """
    levels = feature_levels(name, **overrides)
    return [levels[index].channels for index in resolve_out_indices(out_indices)]
