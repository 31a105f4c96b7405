"""Check that all processes of a run have the same config."""

import json
import re
from typing import Any

from mmengine.config import Config
from mmengine.dist import all_gather_object

from rexdense.errors import InvalidArgument

_SHARED = (
    *('model', 'optim_wrapper', 'param_scheduler', 'randomness', 'train_cfg', 'val_cfg'),
    # Their hooks save and stop, in which all processes take part.
    *('default_hooks', 'custom_hooks', 'resume'),
)
"""Sections without file paths, which may differ between machines."""


def require_agreement(config: Config) -> None:
    """Raise InvalidArgument, with the first differing value, unless all processes train the same
    model in the same way. The checkpoint to resume from is not compared; that of the first process
    is used."""
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
    """Return the text of a value that JSON does not support, without its memory address. A set is
    sorted, so that the order is the same in all processes."""
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    return re.sub(r' at 0x[0-9a-f]+', '', str(value))


def _values(config: Config) -> dict[str, str]:
    """Return the values that must be equal, by their dotted keys."""
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
