"""Loss scaling."""

from typing import Any

import torch
from torch.amp.grad_scaler import OptState


class GradScaler(torch.amp.GradScaler):
    """torch's own on this device, without its step through float64."""

    def __init__(self, **settings: Any) -> None:
        super().__init__('npu', **settings)

    def unscale_(self, optimizer: torch.optim.Optimizer) -> None:
        """Divide an optimizer's gradients by the scale."""
        if not self._enabled:
            return
        state = self._per_optimizer_states[id(optimizer)]
        if state['stage'] is not OptState.READY:
            raise RuntimeError('unscale_() has already been called')
        inverse, found = self._scale.reciprocal(), torch.zeros((), device='npu')
        state['found_inf_per_device'] = self._unscale_grads_(optimizer, inverse, found, False)
        state['stage'] = OptState.UNSCALED
