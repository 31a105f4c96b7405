"""Global means of feature maps, for squeeze-excitation, computed by pooling."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rexdense.deploy.optimization.declared import declared


class PooledMean(nn.Module):
    """Global mean of a map (N, C, H, W), of shape (N, C, 1, 1).

    For channels-last maps on a CPU, pooling takes a fifth to two thirds of the time of torch's mean
    in bfloat16, and half of it for large maps in float32. Rows are pooled first: torch divides the
    output among its threads, and a single value per channel is too little to divide.
    """

    def forward(self, x: Tensor) -> Tensor:
        # In a recorded graph, a kernel as large as the map would fix the size of the input.
        recorded = torch.compiler.is_compiling() or torch.jit.is_tracing()
        if recorded or x.device.type != 'cpu' or torch.is_grad_enabled():
            return x.mean((2, 3), keepdim=True)
        rows = F.avg_pool2d(x, (1, x.shape[3]))
        return F.avg_pool2d(rows, (x.shape[2], 1))


def pool_means(network: nn.Module) -> None:
    """Replace the layers that declare to compute a 'global mean' by :class:`PooledMean`."""
    for module in list(network.modules()):
        for name, layer in module.named_children():
            if declared(layer, 'computes') == 'global mean':
                setattr(module, name, PooledMean())
