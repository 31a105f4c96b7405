"""Cross-entropy of logits against labels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from rexdense.errors import InvalidArgument
from rexdense.models.losses.label_loss import PixelLoss, one_hot
from rexdense.registry import MODELS


@MODELS.register_module()
class CrossEntropyLoss(PixelLoss):
    """Cross-entropy with the arguments of mmseg's loss, for any mmseg head.

    It is computed as in torch. mmseg's loss fails with class weights and ``avg_non_ignore``
    together. With class weights and a sigmoid, it mistakes the classes for columns of the image.

    Args:
        use_sigmoid: Use a binary cross-entropy per channel instead of a softmax over the channels.
            With one channel both are the same: the softmax of the logits (0, x) is the sigmoid of
            x. The channel then has two class weights.
        reduction: 'mean', weighted by class as in ``torch.nn.functional.cross_entropy``, or 'sum'.
        class_weight: A number of at least 0 per class; with ``use_sigmoid`` and several channels,
            torch's ``pos_weight``. A class of weight 0 is void.
        loss_weight, loss_name: See :class:`~rexdense.models.losses.LabelLoss`.
        avg_non_ignore: Average over the labelled pixels. False divides by the number of all pixels,
            with void ones; it has no effect on a softmax with class weights.

    Example:
        >>> loss = CrossEntropyLoss(class_weight=[1, 3])
        >>> logits, labels = torch.zeros(1, 2, 1, 2), torch.tensor([[[1, 255]]])
        >>> round(float(loss(logits, labels)), 4)
        0.6931
    """

    def __init__(
        self,
        use_sigmoid: bool = False,
        reduction: str = 'mean',
        class_weight: list[float] | None = None,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_ce',
        avg_non_ignore: bool = True,
    ) -> None:
        super().__init__(reduction, loss_weight, loss_name, class_weight)
        self.use_sigmoid, self.avg_non_ignore = bool(use_sigmoid), bool(avg_non_ignore)

    def require_channels(self, channels: int) -> None:
        if channels == 1 and not self.use_sigmoid:
            raise InvalidArgument(
                'CrossEntropyLoss of one channel: its softmax is 1 whatever the network says; give '
                'use_sigmoid=True'
            )
        super().require_channels(channels)

    def terms(self, logits: Tensor, labels: Tensor, labelled: Tensor) -> tuple[Tensor, Tensor]:
        by_channel = self.use_sigmoid and logits.shape[1] > 1
        return (self._of_channels if by_channel else self._of_classes)(logits, labels, labelled)

    def _of_classes(
        self, logits: Tensor, labels: Tensor, labelled: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return :meth:`terms` of the softmax."""
        if logits.shape[1] == 1:
            logits = torch.cat((torch.zeros_like(logits), logits), 1)
        labels = torch.where(labelled, labels, -1)
        weight = None if self.class_weight is None else logits.new_tensor(self.class_weight)
        terms = F.cross_entropy(logits, labels, weight, ignore_index=-1, reduction='none')
        if weight is not None:
            return terms, weight[labels[labelled]].sum()
        return terms, self._counted(labelled).to(terms.dtype)

    def _of_channels(
        self, logits: Tensor, labels: Tensor, labelled: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return :meth:`terms` of the sigmoids, summed over the channels."""
        channels = logits.shape[1]
        weight = self.class_weight and logits.new_tensor(self.class_weight)[:, None, None]
        terms = F.binary_cross_entropy_with_logits(
            logits, one_hot(labels, channels).to(logits), pos_weight=weight, reduction='none'
        )
        return terms.sum(1) * labelled, self._counted(labelled).to(terms.dtype) * channels

    def _counted(self, labelled: Tensor) -> Tensor:
        return labelled.sum() if self.avg_non_ignore else torch.ones_like(labelled).sum()

    def extra_repr(self) -> str:
        return (
            f'use_sigmoid={self.use_sigmoid}, avg_non_ignore={self.avg_non_ignore}, '
            f'{super().extra_repr()}'
        )
