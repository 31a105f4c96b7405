"""Losses for depth: from measured depth maps, and from video."""

from rexdense.models.losses.depth.geometry import (
    back_project,
    depth_to_disparity,
    disparity_to_depth,
    pose_matrix,
    project,
    transform_points,
    warp,
)
from rexdense.models.losses.depth.gradient_loss import DepthGradientLoss, valid_depth
from rexdense.models.losses.depth.photometric import (
    Reprojection,
    minimum_reprojection,
    photometric_error,
    ssim_loss,
)
from rexdense.models.losses.depth.self_supervised import SelfSupervisedDepthLoss
from rexdense.models.losses.depth.smoothness import smoothness_loss

__all__ = [
    'DepthGradientLoss',
    'Reprojection',
    'SelfSupervisedDepthLoss',
    'back_project',
    'depth_to_disparity',
    'disparity_to_depth',
    'minimum_reprojection',
    'photometric_error',
    'pose_matrix',
    'project',
    'smoothness_loss',
    'ssim_loss',
    'transform_points',
    'valid_depth',
    'warp',
]
