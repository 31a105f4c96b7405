"""From what a user calls a checkpoint (a path, folder, URL or dictionary) to its tensors."""

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from rexdense.checkpoint.details_file import details_beside
from rexdense.checkpoint.reading import read_checkpoint
from rexdense.checkpoint.unwrapping import StateDict, unwrap
from rexdense.errors import CheckpointUnreadable, InvalidArgument, UnknownName, suggest

__all__ = ['is_address', 'local_file', 'open_checkpoint']

_ADDRESS = re.compile(r'([\w.+-]+:)?[\w.+-]+://')


def is_address(checkpoint: str) -> bool:
    """Whether this is a URL, or a name such as ``open-mmlab://...``, and no path."""
    return bool(_ADDRESS.match(checkpoint))


def open_checkpoint(
    checkpoint: str | Path | Mapping[str, Any], averaged: bool = False, trust_pickle: bool = False
) -> tuple[str, StateDict]:
    """Return what messages call a checkpoint, and its tensors.

    Raises:
        InvalidArgument: it is nothing of the kind.
        CheckpointUnreadable: it cannot be fetched or read, or holds no tensors.
    """
    if isinstance(checkpoint, Mapping):
        return 'the state dict', unwrap(checkpoint, 'the state dict', averaged)
    if not isinstance(checkpoint, str | os.PathLike) or not str(checkpoint):
        raise InvalidArgument(
            f'the checkpoint is {checkpoint!r}: give a file, an address, or a loaded state dict'
        )
    name = str(checkpoint)
    path = local_file(name) if is_address(name) else Path(checkpoint).expanduser()
    file = read_checkpoint(path, trust_pickle=trust_pickle, mmap=True)
    state = unwrap(file.content, name, averaged)
    notes = details_beside(path) or _parsed(file.metadata)
    return name, dataclasses.replace(state, metadata=notes) if notes else state


def _parsed(notes: Mapping[str, str]) -> dict[str, Any]:
    """Return the notes of a safetensors header, which are texts, with JSON among them read."""
    parsed: dict[str, Any] = {}
    for key, text in notes.items():
        try:
            parsed[key] = json.loads(text)
        except ValueError:
            parsed[key] = text
    return parsed


def local_file(address: str) -> Path:
    """Download a checkpoint once, into mmengine's cache, and return where it lies.

    Args:
        address: ``http(s)://``, or the names that mmengine knows: ``open-mmlab://``, ``mmcls://``,
            ``torchvision://``.

    Raises:
        UnknownName: the name stands for nothing.
        CheckpointUnreadable: the download failed, or the address is of another kind.
    """
    from mmengine.dist import barrier

    url = _resolve(address)
    if not url.startswith(('http://', 'https://')):
        raise CheckpointUnreadable(
            f'{address}: only files, http and https are read; download it and give the file'
        )
    # Files of one name lie at many addresses.
    digest = hashlib.sha256(url.encode()).hexdigest()[:8]
    name = url.split('?')[0].rsplit('/', 1)[-1]
    path = Path(torch.hub.get_dir()) / 'checkpoints' / f'{digest}-{name}'
    try:
        # Of several processes on a machine the first one downloads.
        if os.environ.get('LOCAL_RANK', '0') == '0' and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            # It writes aside and renames, so that a broken download leaves nothing behind.
            torch.hub.download_url_to_file(url, str(path), progress=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise CheckpointUnreadable(
            f'{address} could not be downloaded ({error}): fetch it and give the file'
        ) from error
    finally:
        barrier()
    return path


def _resolve(address: str) -> str:
    from mmengine.runner import checkpoint as host

    scheme, name = address.split('://', 1)
    tables = {
        'open-mmlab': host.get_external_models,
        'openmmlab': host.get_external_models,
        'mmcls': host.get_mmcls_models,
        'torchvision': host.get_torchvision_models,
        'modelzoo': host.get_torchvision_models,
    }
    if scheme not in tables:
        return address
    table = tables[scheme]()
    if scheme.endswith('mmlab'):
        name = host.get_deprecated_model_names().get(name, name)
    if name not in table:
        raise UnknownName(f'{address}: no weights are called {name!r}: {suggest(name, table)}')
    return table[name]
