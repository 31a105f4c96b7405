"""Opening of checkpoints: paths, work directories, URLs, published names and state dicts."""

import dataclasses
import hashlib
import json
import os
import re
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from rexdense.checkpoint.download import cache_folder, download
from rexdense.checkpoint.formats.reading import POINTER, checkpoint_file, read_checkpoint
from rexdense.checkpoint.formats.unwrapping import StateDict, unwrap
from rexdense.checkpoint.published import is_published_name, published_file, published_path
from rexdense.checkpoint.sidecar import read_sidecar, sidecar_path
from rexdense.dependencies import needed_packages
from rexdense.errors import (
    CheckpointUnreadable,
    InvalidArgument,
    MissingDependency,
    RexdenseError,
    UnknownName,
    abridged,
    suggest,
)
from rexdense.files.hidden_files import LONGEST_NAME
from rexdense.files.output_names import safe_name

# mmengine's functions (runner/checkpoint.py) with the tables of such names.
_TABLES = {
    'open-mmlab': 'get_external_models',
    'openmmlab': 'get_external_models',
    'mmcls': 'get_mmcls_models',
    'torchvision': 'get_torchvision_models',
    'modelzoo': 'get_torchvision_models',
}
_ADDRESS = re.compile(r'([\w.+-]+:)?[\w.+-]+://')


def is_address(checkpoint: str) -> bool:
    """Return whether this is a URL or a name such as ``open-mmlab://...``, not a path."""
    return bool(_ADDRESS.match(checkpoint))


def open_checkpoint(
    checkpoint: str | Path | Mapping[str, Any] | nn.Module,
    ema: bool | None = None,
    trust_pickle: bool = False,
) -> tuple[str, StateDict]:
    """Return a checkpoint's name for messages, and its tensors.

    Raises:
        InvalidArgument: it is none of these.
        UnknownName: no weights are published under its name.
        CheckpointUnreadable: it cannot be downloaded or read, or has no tensors.
        CheckpointMismatch: the weights that ``ema`` selects are missing.
    """
    if isinstance(checkpoint, Mapping | nn.Module):
        return 'the state dict', unwrap(checkpoint, 'the state dict', ema)
    if not isinstance(checkpoint, str | os.PathLike) or not os.fspath(checkpoint):
        raise InvalidArgument(
            f'checkpoint={abridged(checkpoint)} ({type(checkpoint).__name__}): give the path of a '
            'file, a work directory, a URL or a state dict'
        )
    name = str(checkpoint)
    if is_published_name(name):
        path = published_file(name)
    else:
        path = local_file(name) if is_address(name) else Path(checkpoint).expanduser()
    file = read_checkpoint(path, trust_pickle=trust_pickle, mmap=True)
    state = unwrap(file.content, name, ema)
    notes = read_sidecar(path) or _parsed(file.metadata)
    return name, dataclasses.replace(state, metadata=notes) if notes else state


def _parsed(notes: Mapping[str, str]) -> dict[str, Any]:
    """Return the notes in a safetensors header, with JSON texts parsed."""
    parsed: dict[str, Any] = {}
    for key, text in notes.items():
        try:
            parsed[key] = json.loads(text)
        except (ValueError, RecursionError):
            parsed[key] = text
    return parsed


def local_file(address: str) -> Path:
    """Download a checkpoint once into the download folder, and return its path.

    Args:
        address: ``http(s)://``, or mmengine's names: ``open-mmlab://``, ``mmcls://``,
            ``torchvision://``.

    Raises:
        UnknownName: the name is not in mmengine's table.
        MissingDependency: it is one of mmengine's names, and mmengine is not installed.
        InvalidArgument: the folder cannot be written.
        CheckpointUnreadable: the download failed, or the address is of another kind.
    """
    url = _resolve(address)
    if not url.startswith(('http://', 'https://')):
        raise CheckpointUnreadable(
            f'{address}: only files, http and https are read; download it and give the file'
        )
    return download(url, _cached(url))


def _cached(url: str) -> Path:
    # Many addresses can have the same file name.
    digest = hashlib.sha256(url.encode()).hexdigest()[:8]
    name = safe_name(urllib.parse.urlsplit(url).path.rsplit('/', 1)[-1])
    return cache_folder() / f'{digest}-{name[-LONGEST_NAME // 2 :]}'


def source_files(checkpoint: str | Path | Mapping[str, Any]) -> list[Path]:
    """Return the files that opening a checkpoint reads, possibly after a download; some may not
    exist."""
    if not isinstance(checkpoint, str | os.PathLike):
        return []
    name = str(checkpoint)
    try:
        if is_published_name(name):
            path = published_path(name)
        else:
            path = _cached(_resolve(name)) if is_address(name) else Path(checkpoint).expanduser()
    except RexdenseError:
        return []
    try:
        found = checkpoint_file(path)
    except RexdenseError:
        found = path
    # The current folder and the root folder have no name.
    beside = [sidecar_path(found)] if found.name else []
    return [found, *beside, path / POINTER]


def _resolve(address: str) -> str:
    scheme, name = address.split('://', 1)
    if scheme not in _TABLES:
        return address
    with needed_packages(f'{address}, whose list mmengine has'):
        from mmengine.runner import checkpoint as host

    try:
        table = getattr(host, _TABLES[scheme])()
    except ImportError as error:
        raise MissingDependency(
            f'{address}: its address is known to the package {error.name}, which is not installed: '
            'install that, or give the address'
        ) from error
    if scheme.endswith('mmlab'):
        name = host.get_deprecated_model_names().get(name, name)
    if name not in table:
        raise UnknownName(f'{address}: no weights are called {name!r}: {suggest(name, table)}')
    return table[name]
