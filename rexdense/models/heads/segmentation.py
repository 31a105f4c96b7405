"""The multi-output U-Net as a decode head for semantic segmentation."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from rexdense.arch.checks import (
    is_integer,
    require_one_of,
    require_positive_integer,
    require_ratio,
)
from rexdense.errors import DataError, InvalidArgument
from rexdense.models.heads.multi_scale import MultiScaleHead
from rexdense.models.losses import LabelLoss
from rexdense.registry import MODELS

LABEL_RESIZING = ('share', 'nearest')


def resize_labels(labels: Tensor, size: Sequence[int], how: str, void: int = 255) -> Tensor:
    """Resize a label map (N, H, W) to ``size`` (h, w).

    Args:
        how: 'nearest' takes the label of one pixel. 'share' takes the label with the greatest share
            of the area that a coarse pixel covers, without void (the lowest if several are equal);
            the result is void if the whole area is.
        void: The void label.

    Example:
        >>> labels = torch.tensor([[[0, 1, 255, 255], [1, 1, 2, 255]]])
        >>> resize_labels(labels, (1, 2), 'share').tolist()
        [[[1, 2]]]
    """
    size = tuple(size)
    if tuple(labels.shape[-2:]) == size:
        return labels
    if how == 'nearest':
        # The pixel nearest to the centre, to match the bilinear resizing of images.
        return F.interpolate(labels[:, None].float(), size, mode='nearest-exact')[:, 0].long()
    shape = (labels.shape[0], *size)
    result, largest = labels.new_full(shape, void), torch.zeros(shape, device=labels.device)
    # One class at a time: all at once would need a map for each of up to 150 classes. bincount
    # finds the labels in a fraction of the time of labels.unique(), which sorts.
    counts = torch.bincount(labels.flatten().clamp(min=0))
    for label in counts.nonzero().flatten().tolist():
        if label != void:
            share = F.adaptive_avg_pool2d((labels == label).float(), size)
            result = torch.where(share > largest, label, result)
            largest = torch.maximum(largest, share)
    return result


@MODELS.register_module()
class MultiScaleUNetHead(MultiScaleHead):
    """A U-Net decoder with logits and a loss at every scale, for ``mmseg.EncoderDecoder``.

    Args:
        arch: The backbone's name.
        num_classes: Number of classes, without the label ``ignore_index``.
        out_channels: None gives each class a channel. 1 is for two classes: the sigmoid of the
            channel is the share of the second class, and the loss must have this form, too:
            ``dict(type='rexdense.CrossEntropyLoss', use_sigmoid=True)``.
        loss_decode: One or several losses of :mod:`rexdense.models.losses`, or mmseg's with the
            same names, applied at each scale. Losses with the same name are summed. Your own loss
            class is called with ``(output, labels, ignore_index=...)``.
        label_resizing: How labels are resized to a coarser scale, see :func:`resize_labels`.
        ignore_index: The void label.
        threshold: With one channel, the sigmoid above which a pixel is of the second class.
        head: Further arguments of
            :class:`~rexdense.models.heads.multi_scale.MultiScaleHead`, such as ``output_strides``,
            ``scale_weights`` and ``predict_weights``, and of
            :class:`~rexdense.models.unet.UNetDecoder`.

    Raises:
        InvalidArgument: an argument is out of range.

    Example:
        >>> head = MultiScaleUNetHead('rexnet_1.0', num_classes=11, output_strides=(1, 4))
        >>> {stride: round(weight, 3) for stride, weight in head.scale_weights.items()}
        {1: 0.667, 4: 0.333}
    """

    loss_kinds = (LabelLoss,)

    def __init__(
        self,
        arch: str,
        num_classes: int,
        out_channels: int | None = None,
        loss_decode: dict | Sequence[dict] = (dict(type='rexdense.CrossEntropyLoss'),),
        label_resizing: str = 'share',
        ignore_index: int = 255,
        threshold: float = 0.5,
        **head: Any,
    ) -> None:
        require_positive_integer('num_classes', num_classes)
        if out_channels is not None:
            require_positive_integer('out_channels', out_channels)
        if not is_integer(ignore_index):
            raise InvalidArgument(f'ignore_index={ignore_index!r}: give a whole number')
        require_ratio('threshold', threshold)
        require_one_of('label_resizing', label_resizing, LABEL_RESIZING)
        if out_channels not in (None, num_classes) and (out_channels, num_classes) != (1, 2):
            raise InvalidArgument(
                f'out_channels={out_channels} with num_classes={num_classes}: give as many '
                'channels as classes, or 1 for two classes'
            )
        if num_classes < 2:
            raise InvalidArgument(
                f'num_classes={num_classes}: a single class leaves nothing to tell apart; count '
                'the background as a class too (out_channels=1 then needs one channel for both)'
            )
        super().__init__(arch, num_classes, out_channels or num_classes, loss_decode, **head)
        for loss in self.loss_decode:
            if isinstance(loss, LabelLoss):
                loss.require_channels(self.out_channels)
        self.label_resizing, self.ignore_index = label_resizing, ignore_index
        self.threshold = threshold

    def stack_targets(self, batch_data_samples: Sequence[Any]) -> Tensor:
        labels = torch.cat([sample.gt_sem_seg.data for sample in batch_data_samples]).long()
        beyond = ((labels < 0) | (labels >= self.num_classes)) & (labels != self.ignore_index)
        if beyond.any():
            raise DataError(
                f'a label map has the label {int(labels[beyond][0])}, but there are '
                f'{self.num_classes} classes, 0 to {self.num_classes - 1}, and void is '
                f'{self.ignore_index}'
            )
        return labels

    def scale_losses(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        target = resize_labels(target, output.shape[2:], self.label_resizing, self.ignore_index)
        # A user's own loss may not handle a scale without labels.
        labelled = bool((target != self.ignore_index).any())
        return self.losses_by_name(
            lambda loss: (
                loss(output, target, ignore_index=self.ignore_index)
                if labelled
                else output[:0].sum()
            )
        )

    def metrics(self, finest: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return the percentage of labelled pixels that the finest output classifies correctly."""
        target = resize_labels(target, finest.shape[2:], 'nearest')
        if self.out_channels == 1:
            predicted = (finest[:, 0].sigmoid() > self.threshold).long()
        else:
            predicted = finest.argmax(1)
        labelled = target != self.ignore_index
        right = ((predicted == target) & labelled).sum()
        return {'acc_seg': 100 * right / labelled.sum().clamp(min=1)}
