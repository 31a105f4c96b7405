"""The multi-output U-Net as a decode head for depth."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from rexdense.arch.checks import require_positive
from rexdense.errors import InvalidArgument
from rexdense.models.heads.multi_scale import MultiScaleHead
from rexdense.models.losses import SiLogLoss
from rexdense.models.losses.depth.gradient_loss import DepthGradientLoss, valid_depth
from rexdense.registry import MODELS


def resize_depth(depth: Tensor, size: Sequence[int]) -> Tensor:
    """Return a depth map (N, 1, H, W) at another ``size`` (h, w): the mean over the area that a
    pixel covers, of what was measured there; 0, which stands for nothing measured, where nothing
    was.

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
    of depth is linear in the sigmoid. It is positive and within the range whatever the network
    says; a step of the output changes depth by the same share near and far, as the losses, which
    compare logarithms, measure it (a sigmoid of depth itself, as in BTS or mmseg's VPD head, leaves
    the near range next to no room: 0.1 to 1 m is a hundredth of 0 to 80 m); and an untrained
    network says the geometric middle of the range.

    Pixels of which nothing was measured, see :func:`~rexdense.models.losses.depth.valid_depth`, or
    beyond ``max_depth`` do not count; coarser scales are compared with the mean of what was
    measured there (:func:`resize_depth`), and images in which nothing was add nothing.

    Args:
        arch: The backbone's name.
        min_depth, max_depth: The range of the depth maps, in metres.
        loss_decode: Losses of two depth maps, which each scale gets, of this package, mmseg's SILog
            or the user's own; those of one name are added up.
        head: Further arguments of
            :class:`~rexdense.models.heads.multi_scale.MultiScaleHead`, among them
            ``output_strides``, ``scale_weights`` and ``predict_weights``, and of
            :class:`~rexdense.models.unet.UNetDecoder`.

    Raises:
        InvalidArgument: an argument outside what is allowed.

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
        require_positive('min_depth', min_depth)
        require_positive('max_depth', max_depth)
        if not min_depth < max_depth:
            raise InvalidArgument(
                f'min_depth={min_depth}, max_depth={max_depth}: give 0 < min_depth < max_depth'
            )
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
        """Return the depth maps (N, 1, H / stride, W / stride) in metres by stride, see
        :meth:`UNetDecoder.forward <rexdense.models.unet.UNetDecoder.forward>`."""
        outputs = super().forward(inputs, size, strides)
        # In float32: half precision knows depth to a part in 256 (bfloat16) only.
        return {
            stride: self.min_depth * (self.max_depth / self.min_depth) ** output.float().sigmoid()
            for stride, output in outputs.items()
        }

    def stack_targets(self, batch_data_samples: Sequence[Any]) -> Tensor:
        """Return the depth maps of a batch (N, 1, H, W), 0 where they do not count."""
        depth = torch.stack([sample.gt_depth_map.data for sample in batch_data_samples]).float()
        return torch.where(valid_depth(depth, self.max_depth), depth, 0)

    def scale_losses(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        target = resize_depth(target, output.shape[2:])
        # A loss of the user's own need not know what to make of an image without a measured pixel.
        measured = (target > 0).flatten(1).any(1)
        if not measured.any():
            return self.losses_by_name(lambda loss: output[:0].sum())
        share = measured.float().mean()
        return self.losses_by_name(lambda loss: loss(output[measured], target[measured]) * share)

    def metrics(self, finest: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Return the mean error of the finest output as a share of the true depth."""
        target = resize_depth(target, finest.shape[2:])
        measured = target > 0
        error = ((finest - target).abs() / target.where(measured, 1)) * measured
        return {'abs_rel': error.sum() / measured.sum().clamp(min=1)}
