"""Hook that saves contiguous CPU tensors, which any machine can read."""

from typing import Any

from mmengine.hooks import Hook
from torch import Tensor


class SavePlainTensors(Hook):
    """Move all tensors of a checkpoint to the CPU and make them contiguous before it is written.

    mmengine moves weights and optimizer state, but its EMAHook adds the average from the device,
    and such a file cannot be read without that device. Weights that are trained in channels_last
    (:mod:`rexdense.engine.cpu_steps`) are contiguous in the file.
    """

    # After the EMA hook and all others that add to the file.
    priority = 'LOWEST'

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Convert the tensors of the checkpoint."""
        for name in checkpoint:
            checkpoint[name] = _plain(checkpoint[name])


def _plain(value: Any) -> Any:
    """Return a tree with contiguous tensors on the CPU; parts without tensors are unchanged."""
    if isinstance(value, Tensor):
        return value.cpu().contiguous()
    if isinstance(value, dict):
        # In place, because a state dict has the versions of its modules as an attribute.
        for name, inner in value.items():
            moved = _plain(inner)
            if moved is not inner:
                value[name] = moved
    elif type(value) is list:
        value[:] = [_plain(inner) for inner in value]
    elif type(value) is tuple:
        return tuple(_plain(inner) for inner in value)
    return value
