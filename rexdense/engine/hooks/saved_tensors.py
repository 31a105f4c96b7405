"""Hook that saves tensors from the CPU, contiguous, so that any machine can read them."""

from typing import Any

from mmengine.hooks import Hook
from torch import Tensor


class SavePlainTensors(Hook):
    """Move all tensors of a checkpoint to the CPU and into the usual layout before it is written.

    mmengine moves weights and optimizer, but its EMAHook puts the average there as it lies on the
    device, and such a file cannot be read where that device is absent. Weights that are trained in
    channels_last (:mod:`rexdense.engine.cpu_steps`) are contiguous in the file.
    """

    # After the EMA hook and all others that add to the file.
    priority = 'LOWEST'

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Convert the tensors of the checkpoint."""
        for name in checkpoint:
            checkpoint[name] = _plain(checkpoint[name])


def _plain(value: Any) -> Any:
    """Return a tree whose tensors are contiguous and on the CPU; what holds none stays as it is."""
    if isinstance(value, Tensor):
        return value.cpu().contiguous()
    if isinstance(value, dict):
        # In place: a state dict has versions of its modules as an attribute.
        for name, inner in value.items():
            moved = _plain(inner)
            if moved is not inner:
                value[name] = moved
    elif type(value) is list:
        value[:] = [_plain(inner) for inner in value]
    elif type(value) is tuple:
        return tuple(_plain(inner) for inner in value)
    return value
