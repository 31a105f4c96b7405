"""Focal loss of logits against labels."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from rexdense.arch.checks import require_not_negative, require_ratio
from rexdense.errors import InvalidArgument
from rexdense.models.losses.label_loss import PixelLoss, one_hot
from rexdense.registry import MODELS


@MODELS.register_module()
class FocalLoss(PixelLoss):
    """Focal loss: binary cross-entropy per channel, with less weight on easy pixels, averaged over
    labelled pixels and channels.

    The arguments are those of mmseg's loss, which has these faults: on a CPU it misreads class
    indices, on CUDA it treats all pixels of a single channel as class 1, and it counts void pixels
    in the mean.

    Source: Lin et al. 2017, "Focal Loss for Dense Object Detection", equation 5.

    Args:
        gamma: Exponent, at least 0, of the probability that the network gives to the wrong answer.
        alpha: Weight, from 0 to 1, of the pixels of a channel's class; the other pixels have
            1 - alpha. One number for all channels, or a list of one per channel.
        reduction: 'mean' or 'sum'.
        class_weight: A number of at least 0 per channel, if there are several channels.
        loss_weight, loss_name: See :class:`~rexdense.models.losses.LabelLoss`.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: float | Sequence[float] = 0.5,
        reduction: str = 'mean',
        class_weight: list[float] | None = None,
        loss_weight: float = 1.0,
        loss_name: str = 'loss_focal',
    ) -> None:
        super().__init__(reduction, loss_weight, loss_name, class_weight)
        require_not_negative('gamma', gamma)
        alphas = [alpha] if not isinstance(alpha, list | tuple) else alpha
        for each in alphas:
            require_ratio('alpha', each)
        self.gamma, self.alpha = float(gamma), tuple(map(float, alphas))

    def require_channels(self, channels: int) -> None:
        if channels == 1 and self.class_weight is not None:
            raise InvalidArgument(
                'class_weight of FocalLoss weighs channels, of which there is one: give alpha, the '
                'weight of class 1 against class 0'
            )
        super().require_channels(channels)
        if len(self.alpha) not in (1, channels):
            raise InvalidArgument(
                f'alpha={list(self.alpha)}: give one number, or one for each of the {channels} '
                'channels'
            )

    def terms(self, logits: Tensor, labels: Tensor, labelled: Tensor) -> tuple[Tensor, Tensor]:
        channels = logits.shape[1]
        chosen = one_hot(labels, channels)
        # The logit of the right answer. Logarithms avoid the infinite gradient of a power of 0.
        right = logits.where(chosen, -logits)
        terms = -(self.gamma * F.logsigmoid(-right)).exp() * F.logsigmoid(right)
        alpha = logits.new_tensor(self.alpha)[:, None, None]
        terms = terms * alpha.where(chosen, 1 - alpha)
        if self.class_weight is not None:
            terms = terms * logits.new_tensor(self.class_weight)[:, None, None]
        return terms.sum(1) * labelled, labelled.sum().to(terms.dtype) * channels

    def extra_repr(self) -> str:
        return f'gamma={self.gamma}, alpha={list(self.alpha)}, {super().extra_repr()}'
