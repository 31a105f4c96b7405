"""Checkpoints that any machine can read."""

from typing import Any

from mmengine.hooks import Hook
from torch import Tensor

__all__ = ['SaveOnHost']


class SaveOnHost(Hook):
    """Move all tensors of a checkpoint to the CPU before it is written.

    mmengine does so with weights and optimizer, but its EMAHook puts the average there as it lies
    on the device, and such a file cannot be read where that device is absent.
    """

    # After the EMA hook and all others that add to the file.
    priority = 'LOWEST'

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Move the tensors of the checkpoint."""
        for name in checkpoint:
            checkpoint[name] = _on_host(checkpoint[name])


def _on_host(value: Any) -> Any:
    """Return a tree with its tensors on the CPU; what holds none stays the object that it is."""
    if isinstance(value, Tensor):
        return value.cpu()
    if isinstance(value, dict):
        # In place: a state dict has versions of its modules as an attribute.
        for name, inner in value.items():
            moved = _on_host(inner)
            if moved is not inner:
                value[name] = moved
    elif type(value) is list:
        value[:] = [_on_host(inner) for inner in value]
    elif type(value) is tuple:
        return tuple(_on_host(inner) for inner in value)
    return value
