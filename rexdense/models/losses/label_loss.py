"""Base of losses for labels: void pixels, a single channel, class weights."""

from typing import Any

import torch
from torch import Tensor, nn

from rexdense.arch.checks import require_not_negative
from rexdense.errors import DataError, InvalidArgument
from rexdense.models.losses.arguments import (
    checked_class_weight,
    require_loss_name,
    require_reduction,
)


class LabelLoss(nn.Module):
    """A loss of logits (N, C, H, W) against class indices (N, H, W) that ignores void pixels.

    Its call has the signature of mmseg's losses. With one channel there are two classes: the
    sigmoid is the share of class 1. Logits of half precision are converted to float32, because
    sums over an image would overflow.

    Args:
        loss_weight: Factor of the loss.
        loss_name: Name of the loss; it must contain 'loss'.
        class_weight: A number of at least 0 per class; None weights all classes equally.

    Raises:
        InvalidArgument: an argument is out of range.
    """

    def __init__(self, loss_weight: float, loss_name: str, class_weight: Any | None = None) -> None:
        super().__init__()
        require_not_negative('loss_weight', loss_weight)
        require_loss_name(loss_name)
        self.loss_weight, self.loss_name = loss_weight, loss_name
        self.class_weight = checked_class_weight(class_weight)

    def require_channels(self, channels: int) -> None:
        """Raise InvalidArgument unless the loss supports this number of channels, and has a class
        weight for each class or none."""
        classes = max(channels, 2)
        if self.class_weight is not None and len(self.class_weight) != classes:
            raise InvalidArgument(
                f'class_weight={list(self.class_weight)} of {type(self).__name__}: give one '
                f'number for each of the {classes} classes'
            )

    def forward(
        self,
        logits: Tensor,
        labels: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = 255,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Return the loss; 0, with gradient 0, if all pixels are void.

        Args:
            logits: (N, C, H, W).
            labels: (N, H, W) of class indices, or ``ignore_index``.
            weight: Factor per pixel (N, H, W), with which mmseg's samplers select pixels.
            ignore_index: The void label.
            reduction_override: 'none' returns (N, H, W), by which mmseg's samplers rank pixels.

        Raises:
            InvalidArgument: the loss does not support the number of channels, or has no value per
                pixel for a sampler.
            DataError: a label is neither a class nor void.
        """
        self.require_channels(logits.shape[1])
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits = logits.float()
        labelled = labels != ignore_index
        is_labelled = self._require_classes(labels, labelled, logits.shape[1], ignore_index)
        if weight is not None or reduction_override is not None:
            value = self.sampled(logits, labels, labelled, weight, reduction_override)
        elif is_labelled:
            value = self.value(logits, labels, labelled)
        else:
            value = logits[:0].sum()
        return self.loss_weight * value

    def _require_classes(self, labels: Tensor, labelled: Tensor, channels: int, void: int) -> bool:
        """Raise DataError if a label is neither a class nor void; return whether any is a class.

        Both are computed in one transfer, because each waits for the device.
        """
        classes = max(channels, 2)
        beyond = labelled & ((labels < 0) | (labels >= classes))
        is_beyond, is_labelled = torch.stack([beyond.any(), labelled.any()]).tolist()
        if is_beyond:
            raise DataError(
                f'{type(self).__name__} got the label {int(labels[beyond][0])}, but there are '
                f'{classes} classes, 0 to {classes - 1}, and void is {void}: correct the label '
                'maps, or state ignore_index'
            )
        return is_labelled

    def value(self, logits: Tensor, labels: Tensor, labelled: Tensor) -> Tensor:
        """Return the loss before ``loss_weight``.

        Args:
            labelled: (N, H, W) of bool, with at least one True.
        """
        raise NotImplementedError

    def sampled(
        self,
        logits: Tensor,
        labels: Tensor,
        labelled: Tensor,
        weight: Tensor | None,
        reduction: str | None,
    ) -> Tensor:
        """Return the loss in the form that mmseg's pixel samplers use."""
        raise InvalidArgument(
            f"{type(self).__name__} compares whole images: a head's sampler of pixels goes with "
            'rexdense.CrossEntropyLoss and rexdense.FocalLoss'
        )

    def extra_repr(self) -> str:
        parts = [f'loss_weight={self.loss_weight}']
        if self.class_weight is not None:
            parts.append(f'class_weight={list(self.class_weight)}')
        return ', '.join(parts)


class PixelLoss(LabelLoss):
    """A loss that sums over pixels, so that mmseg's samplers can select pixels.

    Args:
        reduction: 'mean' or 'sum'.
        loss_weight, loss_name, class_weight: See :class:`LabelLoss`.
    """

    def __init__(
        self, reduction: str, loss_weight: float, loss_name: str, class_weight: Any | None = None
    ) -> None:
        super().__init__(loss_weight, loss_name, class_weight)
        require_reduction(reduction)
        self.reduction = reduction

    def terms(self, logits: Tensor, labels: Tensor, labelled: Tensor) -> tuple[Tensor, Tensor]:
        """Return the terms of the pixels (N, H, W), 0 if void, and the divisor of their mean."""
        raise NotImplementedError

    def value(self, logits: Tensor, labels: Tensor, labelled: Tensor) -> Tensor:
        return self.sampled(logits, labels, labelled, None, self.reduction)

    def sampled(
        self,
        logits: Tensor,
        labels: Tensor,
        labelled: Tensor,
        weight: Tensor | None,
        reduction: str | None,
    ) -> Tensor:
        terms, parts = self.terms(logits, labels, labelled)
        if weight is not None:
            terms = terms * weight
        reduction = reduction or self.reduction
        if reduction == 'none':
            return terms
        if reduction == 'sum':
            return terms.sum()
        # A batch in which every label has weight 0 has parts = 0, and terms of 0.
        return terms.sum() / torch.where(parts > 0, parts, 1)


def one_hot(labels: Tensor, channels: int) -> Tensor:
    """Return a mask of each channel's class for labels (N, H, W), as (N, channels, H, W) of bool.
    A single channel stands for class 1 of two.

    Example:
        >>> one_hot(torch.tensor([[[0, 1, 255]]]), 1).tolist()
        [[[[False, True, False]]]]
    """
    classes = torch.arange(channels, device=labels.device) if channels > 1 else labels.new_ones(1)
    return labels[:, None] == classes.view(1, -1, *(1,) * (labels.dim() - 1))
