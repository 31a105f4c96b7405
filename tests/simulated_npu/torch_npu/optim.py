"""An optimizer under the name of Huawei's fused one; it computes as torch's."""

import torch


class NpuFusedSGD(torch.optim.SGD):
    """SGD."""
