"""Mixup and CutMix of whole batches on the device, with soft targets."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from rexdense.arch.checks import require_not_negative, require_ratio
from rexdense.errors import InvalidArgument
from rexdense.registry import MODELS


@MODELS.register_module()
class BatchMix(nn.Module):
    """Mixup and CutMix: mix each image with the image at the same place in the reversed batch.

    Each batch gets one lambda, drawn from Beta(alpha, alpha) (Zhang et al. 2018, "mixup"; Yun et
    al. 2019, "CutMix"; timm ``data/mixup.py`` reverses the batch, too). CutMix pastes a rectangle
    with ``1 - lambda`` of the image area. The rectangle is clipped at the image border, and lambda
    is computed again from its clipped area. If both are on, one of the two is drawn per batch.

    Args:
        mixup: alpha of mixup; 0 turns it off.
        cutmix: alpha of CutMix; 0 turns it off.
        probability: Share of the batches that are mixed.
        switch: If both are on, the share of the mixed batches that CutMix gets.

    Raises:
        InvalidArgument: both are off, or a number is outside its range.
    """

    def __init__(
        self, mixup: float = 0.0, cutmix: float = 0.0, probability: float = 1.0, switch: float = 0.5
    ) -> None:
        super().__init__()
        require_not_negative('mixup', mixup)
        require_not_negative('cutmix', cutmix)
        if not mixup and not cutmix:
            raise InvalidArgument('mixup=0, cutmix=0: give an alpha to one of them, or leave out')
        require_ratio('probability', probability)
        require_ratio('switch', switch)
        self.mixup, self.cutmix = mixup, cutmix
        self.probability, self.switch = probability, switch

    def forward(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return mixed images (N, C, H, W) and targets (N, classes), without changing the
        arguments."""
        if len(images) < 2 or np.random.rand() >= self.probability:
            return images, targets
        both = self.mixup and self.cutmix
        cut = self.cutmix and (not both or np.random.rand() < self.switch)
        alpha = self.cutmix if cut else self.mixup
        share = float(np.random.beta(alpha, alpha))
        others = images.flip(0)
        if cut:
            images, share = self._paste(images, others, share)
        else:
            images = torch.lerp(others, images, share)
        return images, torch.lerp(targets.flip(0), targets, share)

    @staticmethod
    def _paste(images: Tensor, others: Tensor, share: float) -> tuple[Tensor, float]:
        """Return the images with a pasted rectangle of the others, and the remaining share of each
        image's own area."""
        height, width = images.shape[-2:]
        side = math.sqrt(1 - share)
        cut_height, cut_width = int(height * side), int(width * side)
        middle_y, middle_x = np.random.randint(height), np.random.randint(width)
        top, bottom = np.clip([middle_y - cut_height // 2, middle_y + cut_height // 2], 0, height)
        left, right = np.clip([middle_x - cut_width // 2, middle_x + cut_width // 2], 0, width)
        images = images.clone()
        images[..., top:bottom, left:right] = others[..., top:bottom, left:right]
        return images, 1 - float((bottom - top) * (right - left)) / (height * width)
