"""Check that all processes that train together have the same config."""

import json
import re
from typing import Any

from mmengine.config import Config
from mmengine.dist import all_gather_object

from rexdense.errors import InvalidArgument

_SHARED = (
    *('model', 'optim_wrapper', 'param_scheduler', 'randomness', 'train_cfg', 'val_cfg'),
    # Their hooks save and stop, which all processes do together.
    *('default_hooks', 'custom_hooks', 'resume'),
)
"""Sections without places of files, which may differ from machine to machine."""


def require_agreement(config: Config) -> None:
    """Raise InvalidArgument, with the first value that differs, unless all processes train the same
    model in the same way. The checkpoint that they go on from is that of the first."""
    everyone = all_gather_object(_values(config))
    first = everyone[0]
    for rank, other in enumerate(everyone):
        if other != first:
            key = next(k for k in sorted({*first, *other}) if first.get(k) != other.get(k))
            raise InvalidArgument(
                f'process {rank} has {key}={other.get(key)} and process 0 {first.get(key)}: start '
                'all with the same config and options'
            )


def _text(value: Any) -> Any:
    """Return what a value of no JSON kind is called, without its place in memory; a set in an order
    that is the same in all processes."""
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    return re.sub(r' at 0x[0-9a-f]+', '', str(value))


def _values(config: Config) -> dict[str, str]:
    """Return the values that must be the same, by their dotted keys."""
    found: dict[str, str] = {}

    def collect(key: str, value: Any) -> None:
        if isinstance(value, (list, tuple)) and any(isinstance(inner, dict) for inner in value):
            value = dict(enumerate(value))
        if isinstance(value, dict):
            for name, inner in value.items():
                if not str(name).endswith('_dir'):
                    collect(f'{key}.{name}', inner)
        else:
            found[key] = json.dumps(value, default=_text)

    for name in _SHARED:
        collect(name, config.get(name))
    collect('batch_size', config.train_dataloader.get('batch_size'))
    return found
