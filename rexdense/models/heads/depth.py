"""The multi-output U-Net as a decode head for depth estimation."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from rexdense.errors import InvalidArgument
from rexdense.models.heads.multi_scale import MultiScaleHead
from rexdense.models.losses import SiLogLoss
from rexdense.models.losses.arguments import require_depth_range
from rexdense.models.losses.depth.gradient_loss import DepthGradientLoss, valid_depth
from rexdense.registry import MODELS


def resize_depth(depth: Tensor, size: Sequence[int]) -> Tensor:
    """Resize a depth map (N, 1, H, W) to ``size`` (h, w).

    Each pixel of the result is the mean of the measured depths in the area that it covers. The
    value 0 means that nothing was measured.

    Example:
        >>> depth = torch.tensor([[[[2.0, 4.0, 0.0, 0.0], [6.0, 0.0, 0.0, 0.0]]]])
        >>> resize_depth(depth, (1, 2)).tolist()
        [[[[4.0, 0.0]]]]
    """
    size = tuple(size)
    if tuple(depth.shape[2:]) == size:
        return depth
    share = F.adaptive_avg_pool2d((depth > 0).to(depth), size)
    return F.adaptive_avg_pool2d(depth, size) / share.clamp(min=torch.finfo(depth.dtype).tiny)


@MODELS.register_module()
class MultiScaleDepthHead(MultiScaleHead):
    """A U-Net decoder with a depth map and losses at every scale, for ``mmseg.DepthEstimator``.

    The depth of an output x is ``min_depth * (max_depth / min_depth) ** sigmoid(x)``: the logarithm
    of depth is linear in the sigmoid. This has three advantages:

    - The depth is positive and within the range for every output of the network.
    - A step of the output changes the depth by the same ratio near and far, as measured by the
      losses, which compare logarithms. A sigmoid of depth itself, as in BTS or mmseg's VPD head,
      leaves little room for the near range: 0.1 to 1 m is a hundredth of 0 to 80 m.
    - An untrained network predicts the geometric middle of the range.

    Pixels without a measurement (see :func:`~rexdense.models.losses.depth.valid_depth`) and beyond
    ``max_depth`` are ignored. At coarser scales, the target is the mean of the measured depths
    (:func:`resize_depth`). Images without a measurement contribute 0 to the loss.

    Args:
        arch: The backbone's name.
        min_depth, max_depth: The range of the depth maps, in metres.
        loss_decode: Losses of two depth maps, applied at each scale: rexdense's, mmseg's SILog or
            your own. Losses with the same name are summed.
        head: Further arguments of
            :class:`~rexdense.models.heads.multi_scale.MultiScaleHead`, such as ``output_strides``,
            ``scale_weights`` and ``predict_weights``, and of
            :class:`~rexdense.models.unet.UNetDecoder`.

    Raises:
        InvalidArgument: an argument is out of range.

    Example:
        >>> losses = (dict(type='rexdense.DepthGradientLoss'),)
        >>> head = MultiScaleDepthHead('rexnet_1.0', 0.1, 10, losses, output_strides=(1, 4)).eval()
        >>> levels = [torch.zeros(1, level.channels, 8, 8) for level in head.decoder.levels]
        >>> {stride: tuple(depth.shape) for stride, depth in head(levels).items()}
        {1: (1, 1, 16, 16), 4: (1, 1, 8, 8)}
    """

    loss_kinds = (SiLogLoss, DepthGradientLoss)

    def __init__(
        self,
        arch: str,
        min_depth: float = 0.1,
        max_depth: float = 10.0,
        loss_decode: dict | Sequence[dict] = (
            dict(type='rexdense.SiLogLoss'),
            dict(type='rexdense.DepthGradientLoss', loss_weight=0.5),
        ),
        **head: Any,
    ) -> None:
        require_depth_range(min_depth, max_depth)
        for name in ('num_classes', 'out_channels'):
            if name in head:
                raise InvalidArgument(f'{name}={head[name]}: depth has one channel; leave it out')
        super().__init__(arch, num_classes=1, out_channels=1, loss_decode=loss_decode, **head)
        self.min_depth, self.max_depth = min_depth, max_depth

    def forward(
        self,
        inputs: Sequence[Tensor],
        size: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
    ) -> dict[int, Tensor]:
        """Return the depth maps (N, 1, H / stride, W / stride) in metres by stride. See
        :meth:`UNetDecoder.forward <rexdense.models.unet.UNetDecoder.forward>`."""
        outputs = super().forward(inputs, size, strides)
        # In float32: bfloat16 resolves depth only to a part in 256.
        return {
            stride: self.min_depth * (self.max_depth / self.min_depth) ** output.float().sigmoid()
            for stride, output in outputs.items()
        }

    def stack_targets(self, batch_data_samples: Sequence[Any]) -> Tensor:
        """Return the depth maps of a batch (N, 1, H, W), with 0 at ignored pixels."""
        depth = torch.stack([sample.gt_depth_map.data for sample in batch_data_samples]).float()
        return torch.where(valid_depth(depth, self.max_depth), depth, 0)

    def scale_losses(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        target = resize_depth(target, output.shape[2:])
        # A user's own loss may not handle images without a measured pixel.
        measured = (target > 0).flatten(1).any(1)
        if not measured.any():
            return self.losses_by_name(lambda loss: output[:0].sum())
        share = measured.float().mean()
        return self.losses_by_name(lambda loss: loss(output[measured], target[measured]) * share)

    def metrics(self, finest: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return the mean relative error of the finest output."""
        target = resize_depth(target, finest.shape[2:])
        measured = target > 0
        error = ((finest - target).abs() / target.where(measured, 1)) * measured
        return {'abs_rel': error.sum() / measured.sum().clamp(min=1)}
