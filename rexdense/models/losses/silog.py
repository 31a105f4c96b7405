"""The scale-invariant logarithmic loss of depth."""

import torch
from torch import Tensor, nn

from rexdense.arch.checks import require_not_negative, require_positive
from rexdense.models.losses.arguments import require_loss_name, require_reduction
from rexdense.registry import MODELS


@MODELS.register_module()
class SiLogLoss(nn.Module):
    """Scale-invariant logarithmic loss: per image, the root of the mean squared error of the
    logarithm, minus half the square of its mean.

    The arguments are those of mmseg's loss, whose gradient is NaN for an image with an exact
    prediction or without measurements. Here the gradient of such an image is 0.

    Source: Eigen et al. 2014, "Depth Map Prediction from a Single Image using a Multi-Scale Deep
    Network", equation 4, with lambda 0.5; the root as in mmseg ``silog_loss.py``.

    Args:
        reduction: 'mean' or 'sum' over images.
        loss_weight: Factor of the loss.
        eps: True depths up to this, in metres, are ignored; predictions are clamped to at least
            this.
        loss_name: Name of the loss; it must contain 'loss'.

    Example:
        >>> depth = torch.tensor([[[[1.0, 2.0]]]], requires_grad=True)
        >>> SiLogLoss()(depth, depth.detach()).backward()
        >>> bool((depth.grad == 0).all())
        True
    """

    def __init__(
        self,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
        eps: float = 1e-6,
        loss_name: str = 'loss_silog',
    ) -> None:
        super().__init__()
        require_reduction(reduction)
        require_not_negative('loss_weight', loss_weight)
        require_positive('eps', eps)
        require_loss_name(loss_name)
        self.reduction, self.eps = reduction, eps
        self.loss_weight, self.loss_name = loss_weight, loss_name

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Return the loss of depth maps (N, 1, H, W) in metres.

        Args:
            target: 0, NaN or infinite at pixels without a measurement.
        """
        measured = (target > self.eps) & target.isfinite()
        # Masked before the logarithm, whose gradient may be infinite at the other pixels.
        predicted, target = predicted.where(measured, 1), target.where(measured, 1)
        if predicted.dtype in (torch.float16, torch.bfloat16):
            predicted = predicted.float()
        error = (target.log() - predicted.clamp(min=self.eps).log()).flatten(1)
        count = measured.flatten(1).sum(1).clamp(min=1)
        square = error.square().sum(1) / count - 0.5 * (error.sum(1) / count).square()
        # The root has no gradient at 0, its minimum.
        above = square > 0
        values = square.where(above, 1).sqrt() * above
        return self.loss_weight * (values.sum() if self.reduction == 'sum' else values.mean())

    def extra_repr(self) -> str:
        return f'loss_weight={self.loss_weight}, eps={self.eps}'
