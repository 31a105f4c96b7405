"""From what a file holds to a flat dictionary of tensors."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from rexdense.errors import CheckpointMismatch, CheckpointUnreadable

__all__ = ['StateDict', 'unwrap']

# Keys under which training programs keep the weights: mmengine and Lightning, DeiT and detectron2,
# pycls, others.
CONTAINERS = ('state_dict', 'model', 'model_state', 'model_state_dict', 'net', 'weights')
# And under which they keep the running average: timm, DeiT, pycls, mmengine.
AVERAGED_CONTAINERS = ('state_dict_ema', 'model_ema', 'ema_state', 'ema_state_dict', 'ema')
# Wrappers that put a word before every name: DistributedDataParallel, torch.compile.
WRAPPERS = ('module.', '_orig_mod.')


@dataclasses.dataclass(frozen=True)
class StateDict:
    """The tensors of a checkpoint by name.

    Attributes:
        tensors: Names as in the file, without the words of wrappers.
        container: Where they lay, such as 'state_dict'; empty for a bare state dict.
        averaged_too: The file holds a running average that was not asked for.
        metadata: What the file says of itself.
    """

    tensors: dict[str, Tensor]
    container: str = ''
    averaged_too: bool = False
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def unwrap(content: Any, name: str = 'the checkpoint', averaged: bool = False) -> StateDict:
    """Return the tensors of a checkpoint, out of whatever wraps them.

    Args:
        content: A state dict, or a dictionary that holds one.
        name: What error messages call it.
        averaged: Take the running average (EMA) in place of the last weights.

    Raises:
        CheckpointUnreadable: it holds no tensors by name.
        CheckpointMismatch: an average is asked for and there is none, or two tensors get the same
            name.
    """
    try:
        return _unwrap(content, name, averaged)
    except RecursionError as error:
        raise CheckpointUnreadable(
            f'{name} holds dictionaries in dictionaries without end, no state dict'
        ) from error


def _unwrap(content: Any, name: str, averaged: bool = False) -> StateDict:
    if isinstance(content, nn.Module):
        content = content.state_dict()
    if not isinstance(content, Mapping):
        raise CheckpointUnreadable(
            f'{name} holds a {type(content).__name__}, not a dictionary of tensors'
        )
    metadata = content.get('meta') if isinstance(content.get('meta'), Mapping) else {}
    averages = [
        key for key in AVERAGED_CONTAINERS if isinstance(content.get(key), Mapping | nn.Module)
    ]
    if 'mmengine_version' in metadata and {'state_dict', 'ema_state_dict'} <= set(content):
        # mmengine swaps the two when it saves (hooks/ema_hook.py, before_save_checkpoint).
        averages = ['state_dict']
    plain = [key for key in CONTAINERS if isinstance(content.get(key), Mapping | nn.Module)]
    if averaged and not averages:
        raise CheckpointMismatch(
            f'{name} holds no averaged weights (looked for {", ".join(AVERAGED_CONTAINERS)})'
        )
    chosen = averages if averaged or not plain else plain
    if not chosen:
        return StateDict(_flat(content, name), metadata=metadata)
    inner = _unwrap(content[chosen[0]], f'{chosen[0]!r} of {name}')
    container = '.'.join(part for part in (chosen[0], inner.container) if part)
    return StateDict(
        inner.tensors,
        container,
        bool(averages) and averages[0] != chosen[0],
        metadata or inner.metadata,
    )


def _flat(content: Mapping, name: str) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for key, value in content.items():
        if not isinstance(value, Tensor) or not isinstance(key, str):
            continue
        short = _without_wrappers(key)
        if short in tensors:
            raise CheckpointMismatch(
                f'{name} holds {short!r} twice, once as {key!r}: save the two models apart'
            )
        tensors[short] = value
    if not tensors:
        if {'state', 'param_groups'} <= set(content):
            raise CheckpointUnreadable(
                f"{name} is an optimiser's state without a model: give the checkpoint of the model"
            )
        keys = ', '.join(repr(key) for key in list(content)[:5]) or 'nothing'
        raise CheckpointUnreadable(f'{name} holds no tensors by name (it has {keys})')
    return tensors


def _without_wrappers(key: str) -> str:
    while key.startswith(WRAPPERS):
        key = key.split('.', 1)[1]
    return key
