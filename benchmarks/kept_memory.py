"""Memory that a network keeps between forward and backward pass, by two instruments.

    python benchmarks/kept_memory.py --peer PEERS/bin/python --peer-path DIR

Each figure comes from a process of its own. 'storages' are the bytes of all memory that operations
of the forward pass have allocated and that is still there after it, outputs included; parameters,
buffers and the images, which were there before, do not count. 'resident' is the growth of the
process as the operating system sees it, with an allocator that gives freed memory back. What
autograd's hooks for saved tensors see is no measure: memory that a closure or an attribute holds
passes them by.

PEERS is an environment with the same torch, timm and segmentation_models_pytorch; DIR a folder that
is added to its module path, and whose ``torchvision_shim.py``, if there is one, is imported before
timm. Without --peer, rexdense is measured alone.
"""

import argparse
import ctypes
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

MODES = (None, 'activations', 'blocks')
CASES = {
    'rexnet_1.0': ('rexnet_100', (8, 3, 224, 224)),
    'regnetx_3.2gf': ('regnetx_032', (8, 3, 224, 224)),
    'resnext50_32x4d': ('resnext50_32x4d', (8, 3, 224, 224)),
    'unet_rexnet_1.0': (None, (4, 3, 256, 256)),
    'unet_rexnet_1.0_wide': ('tu-rexnet_100', (4, 3, 256, 256)),
}
"""Of each network the peer's, None if it has none, and the size of the images."""


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


def bytes_kept(model: torch.nn.Module, images: torch.Tensor) -> int:
    """Return the bytes that are there after a forward pass and were not before, by storages."""
    counter = StorageCounter((images, *model.parameters(), *model.buffers()))
    with counter:
        output = model(images)
    alive = counter.bytes_alive()
    del output
    return alive


def resident_bytes_kept(model: torch.nn.Module, images: torch.Tensor) -> int:
    """Return by how much a forward pass makes this process larger, on Linux with glibc."""
    _train(model, images[:2, :, :64, :64])  # what is loaded at the first use
    before = _resident_bytes()
    output = model(images)
    kept = _resident_bytes() - before
    del output
    return kept


def _train(model: torch.nn.Module, images: torch.Tensor) -> None:
    outputs = tree_leaves(model(images))
    sum(output.mean() for output in outputs).backward()


def _resident_bytes() -> int:
    ctypes.CDLL(None).malloc_trim(0)
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


def build(task: dict[str, Any]) -> torch.nn.Module:
    """Return the network of a task: rexdense's, or with ``peer`` the other's."""
    name, unet = task['name'], task['name'].startswith('unet_')
    if task['peer'] and unet:
        smp = importlib.import_module('segmentation_models_pytorch')
        return smp.Unet(task['peer'], encoder_weights=None, classes=11)
    if task['peer']:
        return importlib.import_module('timm').create_model(task['peer'], features_only=True)
    how = task['recompute']
    if not unet:
        from rexdense import create_backbone

        return create_backbone(name, out_indices=(0, 1, 2, 3, 4), recompute=how)
    from rexdense.models.unet import create_unet

    return create_unet(name, num_classes=11, output_strides='all', recompute=how)


def measure(task: dict[str, Any], peer_path: str) -> None:
    """Print both figures of a task in bytes, as JSON."""
    answers, sys.stdout = sys.stdout, sys.stderr  # packages may print while they are imported
    sys.path.insert(0, peer_path)
    if task['peer'] and (Path(peer_path) / 'torchvision_shim.py').exists():
        importlib.import_module('torchvision_shim')
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model, images = build(task).train(), torch.randn(task['shape'])
    # First, while nothing has been allocated and freed.
    resident = resident_bytes_kept(model, images)
    print(json.dumps([bytes_kept(model, images), resident]), file=answers)


def ask(interpreter: str, options: argparse.Namespace, **task: Any) -> list[int]:
    """Return both figures of a task, in bytes, from a fresh process."""
    command = [interpreter, __file__, '--serve', json.dumps(task), '--peer-path', options.peer_path]
    # Large blocks go back to the system as soon as they are freed.
    environment = os.environ | {'MALLOC_MMAP_THRESHOLD_': '65536', 'MALLOC_TRIM_THRESHOLD_': '0'}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f'{interpreter} ended with status {done.returncode}')
    return json.loads(done.stdout)


def show(options: argparse.Namespace, name: str) -> None:
    """Print the table of a network."""
    peer, shape = CASES[name]
    figures: dict[str, Callable[[], list[int]] | list[int]] = {
        f'recompute={how}': ask(
            sys.executable, options, name=name, recompute=how, peer=None, shape=shape
        )
        for how in MODES
    }
    reference, word = figures['recompute=None'], 'plain'
    if options.peer and peer:
        reference = ask(options.peer, options, name=name, peer=peer, shape=shape)
        figures[peer], word = reference, peer
    print(f'{name} {"x".join(map(str, shape))}')
    for key, found in figures.items():
        line = f'  {key:24s}'
        for instrument, size, whole in zip(('storages', 'resident'), found, reference, strict=True):
            line += f' {instrument} {size / 1e6:7.1f} MB, {size / whole:.3f} of {word};'
        print(line.rstrip(';'), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--peer', help='interpreter of an environment with the peers')
    parser.add_argument('--peer-path', default='.', help="added to the peer's module path")
    parser.add_argument('--only', choices=CASES, help='one network')
    parser.add_argument('--serve', help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return measure(json.loads(options.serve), options.peer_path)
    for name in [options.only] if options.only else CASES:
        show(options, name)


if __name__ == '__main__':
    main()
