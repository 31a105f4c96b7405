"""A loss of depth gradients."""

from torch import Tensor, nn

from rexdense.arch.checks import require_positive, require_positive_integer
from rexdense.models.losses.arguments import require_loss_name
from rexdense.registry import MODELS


def valid_depth(depth: Tensor, max_depth: float = float('inf')) -> Tensor:
    """Return a mask of the measured depths: finite, above 0 and up to ``max_depth``."""
    return (depth > 0) & depth.isfinite() & (depth <= max_depth)


@MODELS.register_module()
class DepthGradientLoss(nn.Module):
    """The mean absolute difference of the gradients of two log depth maps, summed over scales.

    Let R be the difference of the logarithms of predicted and true depth. The loss of a scale is
    the mean of |R(x + 1) - R(x)| over horizontal neighbours plus the mean over vertical ones. Each
    scale leaves out every second row and column of the one before. The loss is small if sharp edges
    are in the right places, whatever the overall scale. Pairs with an unmeasured pixel are ignored.

    Source: Li and Snavely 2018, "MegaDepth", section 4 (gradient matching over four scales, L1);
    Eigen and Fergus 2015, "Predicting Depth, Surface Normals and Semantic Labels", equation 1 (one
    scale, squared).

    Args:
        scales: Number of scales.
        loss_weight: Factor of the loss.
        loss_name: Name of the loss; it must contain 'loss'.

    Example:
        >>> import torch
        >>> depth = torch.rand(1, 1, 8, 8) + 1
        >>> bool(DepthGradientLoss()(3 * depth, depth) < 1e-5)
        True
    """

    def __init__(
        self, scales: int = 4, loss_weight: float = 1.0, loss_name: str = 'loss_gradient'
    ) -> None:
        super().__init__()
        require_positive_integer('scales', scales)
        require_positive('loss_weight', loss_weight)
        require_loss_name(loss_name)
        self.scales, self.loss_weight, self.loss_name = scales, loss_weight, loss_name

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Return the loss of depth maps (N, 1, H, W), both in metres.

        Args:
            predicted: Above 0.
            target: 0, NaN or infinite at pixels without a measurement, see :func:`valid_depth`.
        """
        valid = valid_depth(target)
        # Masked before the logarithm, whose gradient may be infinite at the other pixels.
        difference = predicted.where(valid, 1).log() - target.where(valid, 1).log()
        loss = difference[:0].sum()
        for scale in range(self.scales):
            step = 2**scale
            at_scale = difference[..., ::step, ::step]
            counts = valid[..., ::step, ::step]
            for axis in (-1, -2):
                size = at_scale.shape[axis]
                if size > 1:
                    both = counts.narrow(axis, 1, size - 1) & counts.narrow(axis, 0, size - 1)
                    change = at_scale.diff(dim=axis).abs() * both
                    loss = loss + change.sum() / both.sum().clamp(min=1)
        return self.loss_weight * loss

    def extra_repr(self) -> str:
        return f'scales={self.scales}, loss_weight={self.loss_weight}'
