"""Lovász losses: surrogates of IoU."""

from collections.abc import Sequence

import torch
from torch import Tensor

from rexdense.errors import InvalidArgument
from rexdense.models.losses.label_loss import LabelLoss
from rexdense.registry import MODELS


@MODELS.register_module()
class LovaszLoss(LabelLoss):
    """Lovász-softmax, or the Lovász hinge of one channel.

    The arguments are those of mmseg's, which fails where a single pixel is labelled, and image by
    image where one is void all over.

    Source: Berman et al. 2018, "The Lovász-Softmax loss", algorithm 1 and sections 2.2 and 3.

    Args:
        loss_type: 'multi_class' for several channels, 'binary' for one.
        classes: 'present' averages over the classes that are there, 'all' over all, a list over its
            own.
        per_image: Whether IoU is that of each image, or of all labelled pixels of the batch.
        reduction: Of the values of images: 'mean' or 'sum'. A batch has one value: 'none' or
            'mean'.
        class_weight: A number for each class of several, 0 or above.
        loss_weight, loss_name: Those of :class:`~rexdense.models.losses.LabelLoss`.
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
        # (pixels, C) of each image, or of the batch as if it were one.
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
    """Return the Lovász extension of 1 - IoU at the errors, 0 or above, of pixels (P,), of which
    those of ``truth`` are of the class."""
    errors, order = errors.sort(descending=True)
    truth = truth[order]
    # What 1 - IoU is when the pixels with the greatest errors are wrong and no others. Counts are
    # exact as integers, and no union is empty.
    missed, wrong = truth.cumsum(0), (~truth).cumsum(0)
    lost = 1 - (missed[-1] - missed).to(errors.dtype) / (missed[-1] + wrong)
    return (errors * lost.diff(prepend=lost.new_zeros(1))).sum()


def _is_choice(classes: object) -> bool:
    return (
        isinstance(classes, list | tuple)
        and len(classes) > 0
        and all(
            isinstance(each, int) and not isinstance(each, bool) and each >= 0 for each in classes
        )
    )
