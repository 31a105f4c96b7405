"""Memory of a network, measured in two ways: live storages, and the size of the process.

autograd's hooks for saved tensors do not measure it: they miss memory that closures or attributes
hold.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class StorageCounter(TorchDispatchMode):
    """Records the storages that operations allocate in this mode, and which of them are alive.

    Args:
        before: Tensors that are not counted.
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
                    # The weak reference also prevents reuse of the address.
                    self._sizes[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        return results

    def bytes_alive(self) -> int:
        """Return the bytes of the storages that are still referenced."""
        return sum(size for storage, size in self._sizes.values() if not storage.expired())


def bytes_kept(model: torch.nn.Module, images: torch.Tensor, *others: Any) -> int:
    """Return the bytes of the storages that a forward pass leaves alive.

    Args:
        others: The model's further arguments.
    """
    counter = StorageCounter((images, *model.parameters(), *model.buffers()))
    with counter:
        output = model(images, *others)
    alive = counter.bytes_alive()
    del output
    return alive


def most_resident_bytes() -> int:
    """Return the maximum size of this process so far, in bytes, on Linux.

    ``ru_maxrss`` starts with the size of the parent process (getrusage(2) of a child that runs
    another program); VmHWM does not (proc(5), status).
    """
    with open('/proc/self/status') as file:
        (line,) = (line for line in file if line.startswith('VmHWM:'))
    return int(line.split()[1]) * 1024
