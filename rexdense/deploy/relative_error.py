"""The measure by which a graph's output is compared with the network's."""

import torch
from torch import Tensor


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Return the largest difference over the largest value expected; infinity for another shape.

    Example:
        >>> round(relative_error(torch.tensor([1.0, 4.1]), torch.tensor([1.0, 4.0])), 3)
        0.025
    """
    if found.shape != expected.shape:
        return float('inf')
    if not expected.numel():
        return 0.0
    difference = (found.double() - expected.double()).abs().max()
    # A comparison with NaN is false: what is no number must not pass for equal.
    return difference.nan_to_num(torch.inf).item() / max(expected.abs().max().item(), 1e-12)
