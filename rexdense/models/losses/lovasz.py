"""Lovász losses, surrogates of IoU."""

from collections.abc import Sequence

import torch
from torch import Tensor

from rexdense.arch.checks import is_integer
from rexdense.errors import InvalidArgument
from rexdense.models.losses.label_loss import LabelLoss
from rexdense.registry import MODELS


@MODELS.register_module()
class LovaszLoss(LabelLoss):
    """Lovász-softmax, or the Lovász hinge if there is one channel.

    The arguments are those of mmseg's loss, which fails if only a single pixel is labelled, and
    with ``per_image`` if an image is entirely void.

    Source: Berman et al. 2018, "The Lovász-Softmax loss", algorithm 1 and sections 2.2 and 3.

    Args:
        loss_type: 'multi_class' for several channels, 'binary' for one.
        classes: The classes to average over: 'present' for those in the labels, 'all', or a list.
        per_image: Compute the IoU per image instead of over all labelled pixels of the batch.
        reduction: With ``per_image``, 'mean' or 'sum' over the images; else 'none' or 'mean', both
            of the one value of the batch.
        class_weight: A number of at least 0 per class, if there are several channels.
        loss_weight, loss_name: See :class:`~rexdense.models.losses.LabelLoss`.
    """

    def __init__(
        self,
        loss_type: str = 'multi_class',
        classes: str | Sequence[int] = 'present',
        per_image: bool = False,
        reduction: str = 'mean',
        class_weight: list[float] | None = None,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_lovasz',
    ) -> None:
        super().__init__(loss_weight, loss_name, class_weight)
        if loss_type not in ('multi_class', 'binary'):
            raise InvalidArgument(f"loss_type={loss_type!r}: allowed are 'multi_class', 'binary'")
        if classes not in ('all', 'present') and not _is_choice(classes):
            raise InvalidArgument(
                f"classes={classes!r}: allowed are 'present', 'all' and a list of class indices"
            )
        allowed = ('mean', 'sum') if per_image else ('none', 'mean')
        if reduction not in allowed:
            raise InvalidArgument(
                f'reduction={reduction!r} with per_image={per_image}: allowed are '
                f'{allowed[0]!r} and {allowed[1]!r}'
            )
        self.loss_type, self.classes, self.per_image = loss_type, classes, bool(per_image)
        self.reduction = reduction

    def require_channels(self, channels: int) -> None:
        binary = self.loss_type == 'binary'
        if binary != (channels == 1):
            raise InvalidArgument(
                f'LovaszLoss with loss_type={self.loss_type!r} and {channels} '
                f"channel{'s' if channels > 1 else ''}: give 'binary' to one channel, "
                "'multi_class' to several"
            )
        if binary and (self.class_weight is not None or not isinstance(self.classes, str)):
            raise InvalidArgument(
                'LovaszLoss of one channel compares one region: leave out class_weight and classes'
            )
        super().require_channels(channels)
        if not isinstance(self.classes, str) and max(self.classes) >= channels:
            raise InvalidArgument(
                f'classes={list(self.classes)}: there are {channels} classes, 0 to {channels - 1}'
            )

    def value(self, logits: Tensor, labels: Tensor, labelled: Tensor) -> Tensor:
        # (pixels, C) per image, or for the batch as a single image.
        logits = logits.movedim(1, -1)
        images = [(logits, labels, labelled)]
        if self.per_image:
            images = zip(logits, labels, labelled, strict=True)
        of_one = self._hinge if self.loss_type == 'binary' else self._softmax
        values = torch.stack(
            [of_one(logit[mask], label[mask]) for logit, label, mask in images if mask.any()]
        )
        return values.sum() if self.reduction == 'sum' else values.mean()

    def _hinge(self, logits: Tensor, labels: Tensor) -> Tensor:
        errors = 1 - logits[:, 0].where(labels == 1, -logits[:, 0])
        return _lovasz_extension(errors.clamp(min=0), labels == 1)

    def _softmax(self, logits: Tensor, labels: Tensor) -> Tensor:
        shares = logits.softmax(1)
        classes = range(shares.shape[1]) if isinstance(self.classes, str) else self.classes
        values = []
        for each in classes:
            truth = labels == each
            if self.classes == 'present' and not truth.any():
                continue
            errors = (truth.to(shares.dtype) - shares[:, each]).abs()
            weight = 1 if self.class_weight is None else self.class_weight[each]
            values.append(weight * _lovasz_extension(errors, truth))
        return torch.stack(values).mean()


def _lovasz_extension(errors: Tensor, truth: Tensor) -> Tensor:
    """Return the Lovász extension of 1 - IoU at the errors (P,), at least 0, of the pixels;
    ``truth`` marks the pixels of the class."""
    errors, order = errors.sort(descending=True)
    truth = truth[order]
    # 1 - IoU if exactly the pixels with the greatest errors are wrong. Counts are exact as
    # integers, and no union is empty.
    missed, wrong = truth.cumsum(0), (~truth).cumsum(0)
    lost = 1 - (missed[-1] - missed).to(errors.dtype) / (missed[-1] + wrong)
    return (errors * lost.diff(prepend=lost.new_zeros(1))).sum()


def _is_choice(classes: object) -> bool:
    return (
        isinstance(classes, list | tuple)
        and len(classes) > 0
        and all(is_integer(each) and each >= 0 for each in classes)
    )
