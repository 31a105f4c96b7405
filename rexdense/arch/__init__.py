"""Named architectures: rules, arguments and feature levels, without torch.

Example:
    >>> from rexdense.arch import channels
    >>> channels('rexnet_1.0', out_indices=(1, 2, 3, 4))
    [38, 61, 128, 185]
"""

from rexdense.arch.levels import Architecture, FeatureLevel, resolve_out_indices
from rexdense.arch.named import (
    architecture,
    architecture_by_rule,
    channels,
    feature_levels,
    list_backbones,
    rule_arguments,
)

__all__ = [
    'Architecture',
    'FeatureLevel',
    'architecture',
    'architecture_by_rule',
    'channels',
    'feature_levels',
    'list_backbones',
    'resolve_out_indices',
    'rule_arguments',
]
