"""Relative error between the outputs of a graph and a network."""

import torch
from torch import Tensor


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Return the largest difference over the largest expected value; infinity if shapes differ.

    Example:
        >>> round(relative_error(torch.tensor([1.0, 4.1]), torch.tensor([1.0, 4.0])), 3)
        0.025
    """
    if found.shape != expected.shape:
        return float('inf')
    if not expected.numel():
        return 0.0
    difference = (found.double() - expected.double()).abs().max()
    # Comparisons with NaN are false, so NaN must become infinite, not pass as equal.
    return difference.nan_to_num(torch.inf).item() / max(expected.abs().max().item(), 1e-12)
