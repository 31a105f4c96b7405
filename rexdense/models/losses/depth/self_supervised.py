"""Self-supervised depth from video, as in monodepth2."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rexdense.arch.checks import require_flag, require_not_negative, require_ratio
from rexdense.errors import InvalidArgument
from rexdense.models.losses.arguments import require_depth_range
from rexdense.models.losses.depth.geometry import disparity_to_depth, warp
from rexdense.models.losses.depth.photometric import minimum_reprojection
from rexdense.models.losses.depth.smoothness import smoothness_loss


class SelfSupervisedDepthLoss(nn.Module):
    """The loss of monodepth2: the source views, warped by depth and camera motion, must match the
    target view, and the disparity must be smooth.

    The disparity of each scale is resized to full size, at which images are compared (Godard et al.
    2019, "Digging Into Self-Supervised Monocular Depth Estimation"; nianticlabs/monodepth2). All is
    computed in float32, also under mixed precision.

    Args:
        min_depth, max_depth: The depths of the disparities 1 and 0, see
            :func:`~rexdense.models.losses.depth.disparity_to_depth`.
        smoothness_weight: Weight of the smoothness at scale 0; it halves from scale to scale.
        ssim_weight: Share of SSIM in the photometric error; the rest is the absolute difference.
        auto_mask: Leave out pixels that do not move between the views, see
            :func:`~rexdense.models.losses.depth.minimum_reprojection`.

    Example:
        >>> from rexdense.models.unet import ReXDepth
        >>> target, before, after = torch.rand(3, 1, 3, 64, 96)
        >>> intrinsics = torch.tensor([[[80.0, 0, 48], [0, 80, 32], [0, 0, 1]]])
        >>> pose = torch.eye(4)[None]
        >>> losses = SelfSupervisedDepthLoss()(
        ...     ReXDepth()(target), target, [before, after], [pose, pose], intrinsics
        ... )
        >>> list(losses)[:2]
        ['loss_photometric_0', 'loss_smoothness_0']
    """

    def __init__(
        self,
        min_depth: float = 0.1,
        max_depth: float = 100.0,
        smoothness_weight: float = 1e-3,
        ssim_weight: float = 0.85,
        auto_mask: bool = True,
    ) -> None:
        super().__init__()
        require_depth_range(min_depth, max_depth)
        require_not_negative('smoothness_weight', smoothness_weight)
        require_flag('auto_mask', auto_mask)
        require_ratio('ssim_weight', ssim_weight)
        self.min_depth, self.max_depth = min_depth, max_depth
        self.smoothness_weight, self.ssim_weight = smoothness_weight, ssim_weight
        self.auto_mask = auto_mask

    def forward(
        self,
        disparities: Mapping[tuple[str, int], Tensor],
        target: Tensor,
        sources: Sequence[Tensor],
        poses: Sequence[Tensor],
        intrinsics: Tensor,
    ) -> dict[str, Tensor]:
        """Return ``loss_photometric_<s>`` and ``loss_smoothness_<s>`` for each scale s. The loss is
        their sum.

        Args:
            disparities: {('disp', s): (N, 1, h, w), between 0 and 1}, as
                :class:`~rexdense.models.unet.ReXDepth` returns them; other keys are ignored.
            target: The view of the disparities, (N, 3, H, W), between 0 and 1.
            sources: Views from other positions, such as the previous and next frame.
            poses: (N, 4, 4) per source, maps points of the target camera's frame to the source
                camera's; see :func:`~rexdense.models.losses.depth.pose_matrix`.
            intrinsics: (N, 3, 3), of all views, at their size; see
                :mod:`rexdense.models.losses.depth.geometry`.

        Raises:
            InvalidArgument: there is no disparity, no source, or not one pose per source.
        """
        scales = {key[1]: value for key, value in disparities.items() if key[0] == 'disp'}
        if not scales:
            raise InvalidArgument(
                f"disparities has the keys {list(disparities)}: give at least ('disp', 0)"
            )
        if not len(sources) or len(sources) != len(poses):
            raise InvalidArgument(
                f'{len(sources)} sources and {len(poses)} poses: give at least one source and a '
                'pose for each'
            )
        # Half precision cannot distinguish neighbouring pixels of a large image.
        with torch.autocast(target.device.type, enabled=False):
            target, sources = target.float(), [source.float() for source in sources]
            losses = {}
            for scale, disparity in scales.items():
                photometric, smoothness = self._of_scale(
                    disparity.float(), target, sources, poses, intrinsics.float()
                )
                weight = self.smoothness_weight / 2**scale
                losses[f'loss_photometric_{scale}'] = photometric / len(scales)
                losses[f'loss_smoothness_{scale}'] = weight * smoothness / len(scales)
        return losses

    def _of_scale(
        self,
        disparity: Tensor,
        target: Tensor,
        sources: Sequence[Tensor],
        poses: Sequence[Tensor],
        intrinsics: Tensor,
    ) -> tuple[Tensor, Tensor]:
        full = F.interpolate(disparity, target.shape[2:], mode='bilinear', align_corners=False)
        depth = disparity_to_depth(full, self.min_depth, self.max_depth)
        warped = [
            warp(source, depth, pose, intrinsics)
            for source, pose in zip(sources, poses, strict=True)
        ]
        reprojection = minimum_reprojection(
            target, warped, sources, self.ssim_weight, self.auto_mask
        )
        image = F.interpolate(target, disparity.shape[2:], mode='area')
        return reprojection.loss, smoothness_loss(disparity, image)

    def extra_repr(self) -> str:
        return (
            f'min_depth={self.min_depth}, max_depth={self.max_depth}, '
            f'smoothness_weight={self.smoothness_weight}, ssim_weight={self.ssim_weight}, '
            f'auto_mask={self.auto_mask}'
        )
