"""Photometric error of two images, and minimum reprojection."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_C1, _C2 = 0.01**2, 0.03**2


def ssim_loss(x: Tensor, y: Tensor) -> Tensor:
    """Return (1 - SSIM) / 2 per pixel and channel, from 0 for equal images up to 1.

    The windows are 3 x 3 pixels, reflected at the border (nianticlabs/monodepth2 ``layers.py``;
    SSIM: Wang et al. 2004, "Image Quality Assessment", equation 13).

    Args:
        x, y: (N, C, H, W), between 0 and 1, of at least 2 x 2 pixels.
    """
    x, y = (F.pad(image, (1, 1, 1, 1), mode='reflect') for image in (x, y))

    def mean(image: Tensor) -> Tensor:
        return F.avg_pool2d(image, 3, stride=1)

    mean_x, mean_y = mean(x), mean(y)
    variance_x = mean(x * x) - mean_x * mean_x
    variance_y = mean(y * y) - mean_y * mean_y
    covariance = mean(x * y) - mean_x * mean_y
    likeness = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    scale = (mean_x * mean_x + mean_y * mean_y + _C1) * (variance_x + variance_y + _C2)
    return ((1 - likeness / scale) / 2).clamp(0, 1)


def photometric_error(x: Tensor, y: Tensor, ssim_weight: float = 0.85) -> Tensor:
    """Return the weighted sum (N, 1, H, W) of the SSIM loss and absolute difference of two images.

    Source: Godard et al. 2019, equation 2.
    """
    absolute = (x - y).abs().mean(1, keepdim=True)
    if ssim_weight == 0:
        return absolute
    return ssim_weight * ssim_loss(x, y).mean(1, keepdim=True) + (1 - ssim_weight) * absolute


class Reprojection(NamedTuple):
    """The photometric error of a target view against its source views.

    Attributes:
        error: The minimum error over the warped sources, (N, 1, H, W).
        moving: Mask of the pixels that count, (N, 1, H, W) of bool.
    """

    error: Tensor
    moving: Tensor

    @property
    def loss(self) -> Tensor:
        """The sum of the errors of the pixels that count, divided by the number of all pixels."""
        return (self.error * self.moving).mean()


def minimum_reprojection(
    target: Tensor,
    warped: Sequence[Tensor],
    sources: Sequence[Tensor],
    ssim_weight: float = 0.85,
    auto_mask: bool = True,
) -> Reprojection:
    """Compare a target view with the warped source views, and take the best view at each pixel.

    The pixel is most likely not hidden in the best view. With ``auto_mask``, a pixel counts only if
    warping reduces its error. Pixels of a still camera, and of objects that move along with it, do
    not count.

    Source: Godard et al. 2019, section 3, equations 4 and 5.

    Args:
        target: (N, C, H, W), between 0 and 1.
        warped, sources: One (N, C, H, W) per source view.
    """
    error = torch.cat([photometric_error(view, target, ssim_weight) for view in warped], 1)
    error = error.amin(1, keepdim=True)
    if not auto_mask:
        return Reprojection(error, torch.ones_like(error, dtype=torch.bool))
    with torch.no_grad():
        still = torch.cat([photometric_error(view, target, ssim_weight) for view in sources], 1)
        return Reprojection(error, error < still.amin(1, keepdim=True))
