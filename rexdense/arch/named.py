"""All named architectures."""

import dataclasses
import fnmatch
from collections.abc import Sequence
from typing import Any

from rexdense.arch.checks import require_known
from rexdense.arch.levels import Architecture, FeatureLevel, resolve_out_indices
from rexdense.arch.residual import RegNetRule, ResNeXtRule
from rexdense.arch.rexnet import ReXNetLiteRule, ReXNetRule
from rexdense.errors import InvalidArgument, UnknownName, abridged, suggest

# w_0, w_a, w_m, depth, group width: pycls configs/dds_baselines/regnet{x,y} (timm models/regnet.py
# has the same numbers).
_REGNETX = {
    '200mf': (24, 36.44, 2.49, 13, 8),
    '400mf': (24, 24.48, 2.54, 22, 16),
    '600mf': (48, 36.97, 2.24, 16, 24),
    '800mf': (56, 35.73, 2.28, 16, 16),
    '1.6gf': (80, 34.01, 2.25, 18, 24),
    '3.2gf': (88, 26.31, 2.25, 25, 48),
    '4.0gf': (96, 38.65, 2.43, 23, 40),
    '6.4gf': (184, 60.83, 2.07, 17, 56),
    '8.0gf': (80, 49.56, 2.88, 23, 120),
    '12gf': (168, 73.36, 2.37, 19, 112),
    '16gf': (216, 55.59, 2.1, 22, 128),
    '32gf': (320, 69.86, 2.0, 23, 168),
}
_REGNETY = {
    '200mf': (24, 36.44, 2.49, 13, 8),
    '400mf': (48, 27.89, 2.09, 16, 8),
    '600mf': (48, 32.54, 2.32, 15, 16),
    '800mf': (56, 38.84, 2.4, 14, 16),
    '1.6gf': (48, 20.71, 2.65, 27, 24),
    '3.2gf': (80, 42.63, 2.66, 21, 24),
    '4.0gf': (96, 31.41, 2.24, 22, 64),
    '6.4gf': (112, 33.22, 2.27, 25, 72),
    '8.0gf': (192, 76.82, 2.19, 17, 56),
    '12gf': (168, 73.36, 2.37, 19, 112),
    '16gf': (200, 106.23, 2.48, 18, 112),
    '32gf': (232, 115.89, 2.53, 20, 232),
}
# The networks that torchvision's rounding makes wider. Its other networks are the same.
_TORCHVISION = ('regnetx_400mf', 'regnety_800mf', 'regnety_8.0gf')


def _regnets(
    prefix: str, numbers: dict[str, tuple[int, float, float, int, int]], se_ratio: float
) -> dict[str, RegNetRule]:
    named = {}
    for size, arguments in numbers.items():
        name = f'{prefix}_{size}'
        named[name] = RegNetRule(*arguments, se_ratio=se_ratio)
        if name in _TORCHVISION:
            named[f'{name}_tv'] = dataclasses.replace(named[name], group_rounding='torchvision')
    return named


ARCHITECTURES: dict[str, Any] = {
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
    'rexnetr_3.0': ReXNetRule(width_mult=3.0, channel_divisor=16),  # as timm's rexnetr_300
    **_regnets('regnetx', _REGNETX, se_ratio=0.0),
    **_regnets('regnety', _REGNETY, se_ratio=0.25),
    'resnext50_32x4d': ResNeXtRule(depth=50, groups=32, base_width=4),
    'resnext101_32x4d': ResNeXtRule(depth=101, groups=32, base_width=4),
    'resnext101_64x4d': ResNeXtRule(depth=101, groups=64, base_width=4),
    'resnext101_32x8d': ResNeXtRule(depth=101, groups=32, base_width=8),
    'resnext152_32x4d': ResNeXtRule(depth=152, groups=32, base_width=4),
}


def list_backbones(pattern: str = '*') -> list[str]:
    """Return the names that match a shell pattern, in the order of ``ARCHITECTURES``.

    Example:
        >>> list_backbones('rexnet_lite_*')
        ['rexnet_lite_1.0', 'rexnet_lite_1.3', 'rexnet_lite_1.5', 'rexnet_lite_2.0']
    """
    if not isinstance(pattern, str):
        raise InvalidArgument(f"pattern={pattern!r}: give text, such as 'rexnet_*'")
    return [name for name in ARCHITECTURES if fnmatch.fnmatchcase(name, pattern)]


def rule_arguments(rule: type) -> tuple[str, ...]:
    """Return the names of the arguments of a family's rule.

    Example:
        >>> from rexdense.arch.residual import ResNeXtRule
        >>> rule_arguments(ResNeXtRule)
        ('depth', 'groups', 'base_width', 'pool_padding')
    """
    return tuple(field.name for field in dataclasses.fields(rule))


def architecture(name: str, **overrides: Any) -> Architecture:
    """Return the network called ``name``, with any arguments of its family's rule replaced.

    Raises:
        UnknownName: no architecture has this name.
        InvalidArgument: an override is unknown to the rule, or out of range.

    Example:
        >>> architecture('rexnet_1.0', width_mult=1.7).levels[-1]
        FeatureLevel(name='c5', channels=314, stride=32)
    """
    if not isinstance(name, str):
        raise InvalidArgument(f"{name!r} is no name of a backbone: give one, such as 'rexnet_1.0'")
    if name not in ARCHITECTURES:
        raise UnknownName(f'no backbone is called {name!r}: {suggest(name, ARCHITECTURES)}')
    rule = ARCHITECTURES[name]
    require_known(type(rule).__name__, overrides, rule_arguments(type(rule)))
    return _built(dataclasses.replace(rule, **overrides))


def architecture_by_rule(rule: type, **arguments: Any) -> Architecture:
    """Return the network that a family's rule builds from ``arguments``, without a name.

    Raises:
        InvalidArgument: an argument is missing, unknown or out of range.

    Example:
        >>> from rexdense.arch.residual import RegNetRule
        >>> numbers = dict(w_0=24, w_a=30.0, w_m=2.4, depth=14, group_width=8)
        >>> [level.channels for level in architecture_by_rule(RegNetRule, **numbers).levels]
        [32, 24, 56, 136, 328]
    """
    require_known(rule.__name__, arguments, rule_arguments(rule))
    missing = [
        field.name
        for field in dataclasses.fields(rule)
        if field.default is dataclasses.MISSING and field.name not in arguments
    ]
    if missing:
        name = next(name for name, each in ARCHITECTURES.items() if type(each) is rule)
        raise InvalidArgument(
            f'{rule.__name__} needs {", ".join(missing)} too; or give a name, such as arch={name!r}'
        )
    return _built(rule(**arguments))


def _built(rule: Any) -> Architecture:
    """Return the network of a rule; raise InvalidArgument if its widths overflow."""
    try:
        return rule.build()
    except OverflowError as error:
        said = f'{abridged(rule)}: the widths are too large to be numbers; give smaller arguments'
        raise InvalidArgument(said) from error


def feature_levels(
    name: str, output_stride: int = 32, **overrides: Any
) -> tuple[FeatureLevel, ...]:
    """Return the five feature levels c1 to c5 of a network, without building it.

    Example:
        >>> [level.channels for level in feature_levels('rexnet_1.0')]
        [16, 38, 61, 128, 185]
    """
    return architecture(name, **overrides).with_output_stride(output_stride).levels


def channels(name: str, out_indices: Sequence[int] = (1, 2, 3, 4), **overrides: Any) -> list[int]:
    """Return the channels of the levels that a neck or head reads, for ``in_channels`` of a config.

    Example:
        >>> channels('rexnet_1.0')
        [38, 61, 128, 185]
    """
    levels = feature_levels(name, **overrides)
    return [levels[index].channels for index in resolve_out_indices(out_indices)]
