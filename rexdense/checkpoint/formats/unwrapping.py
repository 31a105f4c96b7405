"""Extraction of the state dict from the content of a checkpoint file."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from rexdense.errors import CheckpointMismatch, CheckpointUnreadable, InvalidArgument

# Keys of the weights in training files: mmengine and Lightning, DeiT and detectron2, pycls, others.
CONTAINERS = ('state_dict', 'model', 'model_state', 'model_state_dict', 'net', 'weights')
# Keys of the running average: timm, DeiT, pycls, mmengine.
EMA_CONTAINERS = ('state_dict_ema', 'model_ema', 'ema_state', 'ema_state_dict', 'ema')
# Words that wrappers insert into names: torch.compile, FSDP, activation checkpointing.
INNER_WRAPPERS = frozenset(('_orig_mod', '_fsdp_wrapped_module', '_checkpoint_wrapped_module'))
# The prefix of DistributedDataParallel and AveragedModel; elsewhere it may be a module's name.
OUTER_WRAPPER = 'module'
# The update counters of mmengine's and torch's AveragedModel.
AVERAGE_COUNTERS = ('steps', 'n_averaged')
# A word in the name of a second copy of the network that marks it as a running average.
_EMA_WORD = re.compile(r'(^|_)(ema|swa|averaged?|shadow)($|_)')
_MOST_NAMED = 5
_EMA_TOO = 'the file also holds EMA weights: ema=True (--ema) takes those'
_LAST_TOO = 'these are EMA weights, the last ones are there too: ema=False (--no-ema) takes those'
_NO_LAST = 'EMA weights alone, no last ones: leave ema out'


@dataclasses.dataclass(frozen=True)
class StateDict:
    """The tensors of a checkpoint by name.

    Attributes:
        tensors: Tensors by their names in the file, without the words of wrappers.
        container: The key under which they were stored, such as 'state_dict'; empty for a bare
            state dict.
        note: What else the file holds: the running average, or the last weights.
        metadata: The file's metadata.
    """

    tensors: dict[str, Tensor]
    container: str = ''
    note: str = ''
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def unwrap(content: Any, name: str = 'the checkpoint', ema: bool | None = None) -> StateDict:
    """Return the tensors of a checkpoint without its containers and wrappers.

    Args:
        content: A state dict, a module, or a dictionary that holds one of them.
        name: The checkpoint's name in error messages.
        ema: True takes the running average (EMA), False the last weights, None the file's main
            weights, which in mmengine's files are the average.

    Raises:
        InvalidArgument: ``ema`` is none of these.
        CheckpointUnreadable: it holds no tensors by name.
        CheckpointMismatch: the weights that ``ema`` selects are missing, or two tensors get the
            same name.
    """
    if not isinstance(ema, bool | None):
        raise InvalidArgument(
            f'ema={ema!r}: allowed are True (the running average), False (the last weights) and '
            'None (those that the file keeps as its own)'
        )
    try:
        return _unwrap(content, name, ema)
    except RecursionError as error:
        raise CheckpointUnreadable(
            f'{name} holds dictionaries in dictionaries without end, no state dict'
        ) from error


def _unwrap(content: Any, name: str, ema: bool | None) -> StateDict:
    if isinstance(content, nn.Module):
        content = content.state_dict()
    if not isinstance(content, Mapping):
        raise CheckpointUnreadable(
            f'{name} holds a {type(content).__name__}, not a dictionary of tensors'
        )
    metadata = content.get('meta') if isinstance(content.get('meta'), Mapping) else {}
    last, average = (
        [key for key in keys if isinstance(content.get(key), Mapping | nn.Module)]
        for keys in (CONTAINERS, EMA_CONTAINERS)
    )
    own = last or average
    if not own:
        return _bare(content, name, ema, metadata)
    if 'mmengine_version' in metadata and 'ema_state_dict' in average and 'state_dict' in last:
        # mmengine swaps the two when it saves (hooks/ema_hook.py, before_save_checkpoint).
        last, average = ['ema_state_dict'], ['state_dict']
    chosen = own if ema is None else average if ema else last
    if not chosen and not ema:
        raise CheckpointMismatch(f'{name} holds {_NO_LAST}')
    # Without a container of its own, the average may be stored beside the last weights.
    inner = _unwrap(
        content[(chosen or own)[0]], f'{(chosen or own)[0]!r} of {name}', None if chosen else ema
    )
    note = inner.note
    if chosen and last and average:
        note = _LAST_TOO if chosen[0] == average[0] else _EMA_TOO
    container = '.'.join(part for part in ((chosen or own)[0], inner.container) if part)
    return StateDict(inner.tensors, container, note, metadata or inner.metadata)


def _bare(content: Mapping, name: str, ema: bool | None, metadata: Mapping) -> StateDict:
    """Return the tensors of a state dict; a second copy in it may be the average."""
    tensors = _flat(content, name)
    average = {key: tensor for key, tensor in tensors.items() if is_ema(key)}
    if ema and not average:
        raise CheckpointMismatch(
            f'{name} holds no EMA weights (looked for {", ".join(EMA_CONTAINERS)}): leave ema out'
        )
    if ema is False and len(average) == len(tensors):
        raise CheckpointMismatch(f'{name} holds {_NO_LAST}')
    if not average or len(average) == len(tensors):
        return StateDict(tensors, metadata=metadata)
    if ema:
        return StateDict(average, note=_LAST_TOO, metadata=metadata)
    return StateDict(tensors, note=_EMA_TOO, metadata=metadata)


def is_ema(key: str) -> bool:
    """Return whether a tensor's name or prefix marks a running average."""
    return any(map(_EMA_WORD.search, key.split('.')))


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
        networks = [key for key, value in content.items() if _holds_tensors(value)]
        if networks:
            shown = ', '.join(map(repr, networks[:_MOST_NAMED]))
            raise CheckpointUnreadable(
                f'{name} holds no state dict under a known name, but tensors in {shown}: choose '
                f'one, such as torch.load(FILE, weights_only=True)[{networks[0]!r}], in place of '
                'the file'
            )
        keys = ', '.join(repr(key) for key in list(content)[:5]) or 'nothing'
        raise CheckpointUnreadable(f'{name} holds no tensors by name (it has {keys})')
    if any(isinstance(key, str) and key.startswith(f'{OUTER_WRAPPER}.') for key in content):
        for counter in AVERAGE_COUNTERS:
            tensors.pop(counter, None)
    return tensors


def _holds_tensors(value: Any) -> bool:
    """Return whether a value may hold a network's tensors, as 'student' and 'teacher' do."""
    if isinstance(value, nn.Module):
        return True
    return isinstance(value, Mapping) and any(
        isinstance(key, str) and isinstance(tensor, Tensor) for key, tensor in value.items()
    )


def _without_wrappers(key: str) -> str:
    parts = [part for part in key.split('.') if part not in INNER_WRAPPERS]
    while len(parts) > 1 and parts[0] == OUTER_WRAPPER:
        del parts[0]
    return '.'.join(parts)
