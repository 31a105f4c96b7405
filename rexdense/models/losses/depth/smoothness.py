"""Edge-aware smoothness of disparity."""

from torch import Tensor


def smoothness_loss(disparity: Tensor, image: Tensor) -> Tensor:
    """Return the mean change of a disparity between pixels, with less weight at image edges.

    The disparity is divided by its mean first; otherwise a smaller disparity would be smoother.

    Source: Godard et al. 2019, equation 3.

    Args:
        disparity: (N, 1, H, W), above 0.
        image: (N, C, H, W), between 0 and 1.
    """
    normalised = disparity / (disparity.mean((2, 3), keepdim=True) + 1e-7)
    total = disparity[:0].sum()
    for axis in (2, 3):
        if disparity.shape[axis] > 1:
            change = normalised.diff(dim=axis).abs()
            edge = image.diff(dim=axis).abs().mean(1, keepdim=True)
            total = total + (change * (-edge).exp()).mean()
    return total
