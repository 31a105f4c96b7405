"""Losses of region overlap: Dice and Tversky."""

from typing import Any

import torch
from torch import Tensor

from rexdense.arch.checks import require_not_negative, require_positive
from rexdense.errors import InvalidArgument
from rexdense.models.losses.arguments import require_reduction
from rexdense.models.losses.label_loss import LabelLoss, one_hot
from rexdense.registry import MODELS


class RegionLoss(LabelLoss):
    """A loss of the pixel shares of each class, per image.

    Void pixels are in no region, and images without labels do not count.

    Args:
        ignore_index: A class whose region is left out; None, or a label of no class, leaves out
            none.
    """

    def __init__(
        self,
        loss_weight: float,
        loss_name: str,
        ignore_index: int | None,
        class_weight: Any | None = None,
    ) -> None:
        super().__init__(loss_weight, loss_name, class_weight)
        self.ignore_index = ignore_index

    def require_channels(self, channels: int) -> None:
        if channels == 1 and self.class_weight is not None:
            raise InvalidArgument(
                f'class_weight of {type(self).__name__} weighs regions, of which one channel has '
                'one: leave it out'
            )
        super().require_channels(channels)
        if channels == 1 and self.ignore_index in (0, 1):
            raise InvalidArgument(
                f'ignore_index={self.ignore_index} of {type(self).__name__} leaves no class to one '
                'channel: leave it out; ignore_index of the head is the void label'
            )

    def regions(self, shares: Tensor, labels: Tensor, labelled: Tensor) -> tuple[Tensor, Tensor]:
        """Return the predicted shares and the true ones (0 or 1) of the images with labels, both
        (images, C, pixels), with 0 at void pixels."""
        counts = labelled.flatten(1).any(1)
        truth = one_hot(labels, shares.shape[1])
        shares, truth, labelled = (
            each[counts].flatten(2).to(shares.dtype) for each in (shares, truth, labelled[:, None])
        )
        return shares * labelled, truth * labelled

    def kept_classes(self, channels: int, device: torch.device) -> Tensor:
        """Return a mask of the channels (C,) whose classes count."""
        return torch.arange(channels, device=device) != (
            -1 if self.ignore_index is None else self.ignore_index
        )


@MODELS.register_module()
class DiceLoss(RegionLoss):
    """1 - Dice of all classes together, averaged over the images with labels.

    The arguments are those of mmseg's loss. In mmseg's, void pixels still count as pixels without
    a class, and a single channel learns class 0.

    Source: Milletari et al. 2016, "V-Net", section 3.

    Args:
        use_sigmoid: Compute the shares with a sigmoid per channel; else with a softmax.
        reduction: 'mean' or 'sum' over the images.
        naive_dice: Sum the shares in the denominator instead of their squares. Without it, an image
            without class 1 gives no gradient if there is one channel.
        loss_weight, loss_name: See :class:`~rexdense.models.losses.LabelLoss`.
        ignore_index: A class that does not count, see :class:`RegionLoss`. The void label is the
            head's ``ignore_index``.
        eps: Keeps the denominator above 0.
    """

    def __init__(
        self,
        use_sigmoid: bool = True,
        reduction: str = 'mean',
        naive_dice: bool = False,
        loss_weight: float = 1.0,
        ignore_index: int | None = None,
        eps: float = 1e-3,
        loss_name: str = 'loss_dice',
    ) -> None:
        super().__init__(loss_weight, loss_name, ignore_index)
        require_reduction(reduction)
        require_positive('eps', eps)
        self.use_sigmoid, self.naive_dice = bool(use_sigmoid), bool(naive_dice)
        self.reduction, self.eps = reduction, eps

    def require_channels(self, channels: int) -> None:
        super().require_channels(channels)
        if channels == 1 and not self.use_sigmoid:
            raise InvalidArgument(
                'DiceLoss of one channel: its softmax is 1 whatever the network says; leave out '
                'use_sigmoid=False'
            )

    def value(self, logits: Tensor, labels: Tensor, labelled: Tensor) -> Tensor:
        shares = logits.sigmoid() if self.use_sigmoid else logits.softmax(1)
        shares, truth = self.regions(shares, labels, labelled)
        kept = self.kept_classes(shares.shape[1], shares.device)
        shares, truth = shares[:, kept].flatten(1), truth[:, kept].flatten(1)
        shared = 2 * (shares * truth).sum(1)
        if self.naive_dice:
            dice = (shared + self.eps) / (shares.sum(1) + truth.sum(1) + self.eps)
        else:
            dice = shared / (shares.square().sum(1) + truth.square().sum(1) + 2 * self.eps)
        return (1 - dice).sum() if self.reduction == 'sum' else (1 - dice).mean()


@MODELS.register_module()
class TverskyLoss(RegionLoss):
    """1 - Tversky index of each class, averaged over the classes and the images with labels.

    The arguments are those of mmseg's loss, which does not support one channel, and which uses its
    own ``ignore_index`` as the void label instead of the head's.

    Source: Salehi et al. 2017, "Tversky loss function for image segmentation using 3D fully
    convolutional deep networks", equation 3.

    Args:
        smooth: Added to the numerator and the denominator, in pixels.
        loss_weight, loss_name, class_weight: See :class:`~rexdense.models.losses.LabelLoss`.
        ignore_index: A class that does not count, see :class:`RegionLoss`. The void label is the
            head's ``ignore_index``.
        alpha: Weight of false positive pixels.
        beta: Weight of false negative pixels.
    """

    def __init__(
        self,
        smooth: float = 1.0,
        class_weight: list[float] | None = None,
        loss_weight: float = 1.0,
        ignore_index: int | None = None,
        alpha: float = 0.3,
        beta: float = 0.7,
        loss_name: str = 'loss_tversky',
    ) -> None:
        super().__init__(loss_weight, loss_name, ignore_index, class_weight)
        require_positive('smooth', smooth)
        require_not_negative('alpha', alpha)
        require_not_negative('beta', beta)
        self.smooth, self.alpha, self.beta = smooth, alpha, beta

    def value(self, logits: Tensor, labels: Tensor, labelled: Tensor) -> Tensor:
        channels = logits.shape[1]
        if channels > 1 and self.ignore_index is not None:
            # As in mmseg's: the pixels of an ignored class are in no region.
            labelled = labelled & (labels != self.ignore_index)
            if not labelled.any():
                return logits[:0].sum()
        shares = logits.sigmoid() if channels == 1 else logits.softmax(1)
        shares, truth = self.regions(shares, labels, labelled)
        found = (shares * truth).sum(2)
        taken, missed = shares.sum(2) - found, truth.sum(2) - found
        index = (found + self.smooth) / (
            found + self.alpha * taken + self.beta * missed + self.smooth
        )
        losses = (1 - index).mean(0) * self.kept_classes(channels, logits.device)
        if self.class_weight is not None:
            losses = losses * losses.new_tensor(self.class_weight)
        return losses.mean()
