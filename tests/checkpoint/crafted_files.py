"""Files that would run code if they were read carelessly."""

import io
import os
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import torch

__all__ = ['CRAFTED', 'write_crafted']


class _Touch:
    """In a pickle, this becomes a call that creates a file."""

    def __init__(self, path: Path):
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, tuple]:
        return open, (self.path, 'w')


class _Shell(_Touch):
    def __reduce__(self) -> tuple[Any, tuple]:
        return os.system, (f'touch {self.path}',)


# Asks getattr for the path from a logging class to the functions of its module.
_GETATTR = (
    b'\x80\x02c__builtin__\ngetattr\n(cmmengine.logging.history_buffer\nHistoryBuffer\n'
    b'X\x08\x00\x00\x00__init__tR.'
)


def write_crafted(kind: str, path: Path, victim: Path) -> None:
    """Write a file to ``path`` that tries to create the file ``victim``."""
    weights = {'stem.conv.weight': torch.ones(32, 3, 3, 3)}
    if kind == 'torch zip':
        torch.save({'state_dict': weights, 'meta': _Shell(victim)}, path)
    elif kind == 'torch zip, builtins.open':
        torch.save({'state_dict': weights, 'meta': _Touch(victim)}, path)
    elif kind == 'torch zip, protocol 4':
        torch.save({'state_dict': weights, 'meta': _Shell(victim)}, path, pickle_protocol=4)
    elif kind == 'torch before 1.6':
        torch.save({**weights, 'meta': _Shell(victim)}, path, _use_new_zipfile_serialization=False)
    elif kind == 'torch before 1.6, protocol 4':
        torch.save(
            {**weights, 'meta': _Shell(victim)},
            path,
            pickle_protocol=4,
            _use_new_zipfile_serialization=False,
        )
    elif kind.startswith('pickle'):
        path.write_bytes(pickle.dumps(_Shell(victim), protocol=int(kind[-1])))
    elif kind == 'getattr':
        path.write_bytes(_GETATTR)
    elif kind == 'tar that torch unpacks':
        content = pickle.dumps(_Shell(victim), protocol=2)
        with tarfile.open(path, 'w') as archive:
            for name in ('pickle', 'storages', 'tensors', f'../../{victim.name}'):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    elif kind == 'zip with a pickle of its own':
        with zipfile.ZipFile(path, 'w') as archive:
            archive.writestr('archive/data.pkl', pickle.dumps(_Shell(victim), protocol=2))
            archive.writestr('archive/version', '3')
    else:
        raise AssertionError(kind)


CRAFTED = (
    'torch zip',
    'torch zip, builtins.open',
    'torch zip, protocol 4',
    'torch before 1.6',
    'torch before 1.6, protocol 4',
    'pickle protocol 0',
    'pickle protocol 2',
    'pickle protocol 4',
    'pickle protocol 5',
    'getattr',
    'tar that torch unpacks',
    'zip with a pickle of its own',
)
