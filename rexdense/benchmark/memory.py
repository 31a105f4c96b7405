"""Memory that a network needs, by two instruments: storages that are alive, and the process's size.

What autograd's hooks for saved tensors see is no measure: memory that a closure or an attribute
holds passes them by.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class StorageCounter(TorchDispatchMode):
    """Knows the storages that operations allocate while it is on, and which are still there.

    Args:
        before: Tensors that do not count.
    """

    def __init__(self, before: Iterable[torch.Tensor] = ()) -> None:
        super().__init__()
        self._sizes: dict[int, tuple[StorageWeakRef, int]] = {}
        self._before = {tensor.untyped_storage()._cdata for tensor in before}

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        results = operation(*args, **kwargs or {})
        for tensor in tree_leaves(results):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if storage._cdata not in self._before:
                    # A weak reference also keeps the address from being used again.
                    self._sizes[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        return results

    def bytes_alive(self) -> int:
        """Return the bytes of the storages that something still holds."""
        return sum(size for storage, size in self._sizes.values() if not storage.expired())


def bytes_kept(model: torch.nn.Module, images: torch.Tensor, *others: Any) -> int:
    """Return the bytes that are there after a forward pass and were not before, by storages.

    Args:
        others: What else the model takes.
    """
    counter = StorageCounter((images, *model.parameters(), *model.buffers()))
    with counter:
        output = model(images, *others)
    alive = counter.bytes_alive()
    del output
    return alive


def most_resident_bytes() -> int:
    """Return the largest size that this process has had, in bytes, on Linux.

    The system's ``ru_maxrss`` begins with the size of the process that started this one
    (getrusage(2) of a child that runs another program); VmHWM does not (proc(5), status).
    """
    with open('/proc/self/status') as file:
        (line,) = (line for line in file if line.startswith('VmHWM:'))
    return int(line.split()[1]) * 1024
