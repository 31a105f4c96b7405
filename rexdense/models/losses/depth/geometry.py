"""Geometry of two views of a scene: rays, rigid motion, projection, image warping.

Pixels are counted from the centre of the first one: the pixel in row ``v`` and column ``u`` has the
coordinates (u, v). ``intrinsics`` (N, 3, 3) map a point (X, Y, Z) of the camera's frame (X to the
right, Y down, Z forward) to ``Z * (u, v, 1)``.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

NEAREST_DEPTH = 1e-3
"""Minimum distance from the image plane: nearer points, or points behind it, are projected as if at
this distance."""


def disparity_to_depth(disparity: Tensor, min_depth: float, max_depth: float) -> Tensor:
    """Return the depth of a disparity between 0 and 1, which is linear in the inverse depth.

    Source: Godard et al. 2019, "Digging Into Self-Supervised Monocular Depth Estimation",
    section 4 (``disp_to_depth`` in nianticlabs/monodepth2 ``layers.py``).

    Example:
        >>> disparity_to_depth(torch.tensor([0.0, 0.5, 1.0]), 1, 4).tolist()
        [4.0, 1.600000023841858, 1.0]
    """
    farthest, nearest = 1 / max_depth, 1 / min_depth
    return 1 / (farthest + (nearest - farthest) * disparity)


def depth_to_disparity(depth: Tensor, min_depth: float, max_depth: float) -> Tensor:
    """Return the disparity that :func:`disparity_to_depth` maps to ``depth``."""
    farthest, nearest = 1 / max_depth, 1 / min_depth
    return (1 / depth - farthest) / (nearest - farthest)


def pose_matrix(axis_angle: Tensor, translation: Tensor) -> Tensor:
    """Return rigid motions (N, 4, 4) that rotate a point about an axis and then translate it.

    Args:
        axis_angle: (N, 3), the direction of the axis; its length is the angle in radians.
        translation: (N, 3), in the unit of depth.
    """
    x, y, z = axis_angle.unbind(1)
    zero = torch.zeros_like(x)
    generator = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), 1).view(-1, 3, 3)
    upper = torch.cat((torch.matrix_exp(generator), translation[:, :, None]), 2)
    last = upper.new_tensor([[[0, 0, 0, 1]]]).expand(len(upper), 1, 4)
    return torch.cat((upper, last), 1)


def back_project(depth: Tensor, intrinsics: Tensor) -> Tensor:
    """Return the 3D points (N, 3, H, W) of pixels with depth (N, 1, H, W) along Z."""
    height, width = depth.shape[2:]
    v, u = torch.meshgrid(
        torch.arange(height, dtype=depth.dtype, device=depth.device),
        torch.arange(width, dtype=depth.dtype, device=depth.device),
        indexing='ij',
    )
    pixels = torch.stack((u, v, torch.ones_like(u)))
    inverse = torch.linalg.inv(intrinsics.to(depth))
    return torch.einsum('nij,jhw->nihw', inverse, pixels) * depth


def transform_points(points: Tensor, pose: Tensor) -> Tensor:
    """Return points (N, 3, H, W) moved by rigid motions (N, 4, 4)."""
    moved = torch.einsum('nij,njhw->nihw', pose[:, :3, :3].to(points), points)
    return moved + pose[:, :3, 3, None, None].to(points)


def project(points: Tensor, intrinsics: Tensor) -> Tensor:
    """Return the pixel coordinates (N, 2, H, W), u before v, of points (N, 3, H, W)."""
    seen = torch.einsum('nij,njhw->nihw', intrinsics.to(points), points)
    return seen[:, :2] / seen[:, 2:].clamp(min=NEAREST_DEPTH)


def warp(source: Tensor, depth: Tensor, pose: Tensor, intrinsics: Tensor) -> Tensor:
    """Return the source view as the target camera sees it.

    Pixels outside the source view take the colour of the nearest border pixel.

    Args:
        source: (N, C, H, W).
        depth: The target view's depth (N, 1, H, W).
        pose: (N, 4, 4), maps points of the target camera's frame to the source camera's.
        intrinsics: (N, 3, 3), of both cameras.
    """
    height, width = source.shape[2:]
    points = transform_points(back_project(depth, intrinsics), pose)
    pixels = project(points, intrinsics).permute(0, 2, 3, 1)
    # grid_sample uses -1 to 1, edge to edge.
    grid = (2 * pixels + 1) / pixels.new_tensor([width, height]) - 1
    return F.grid_sample(source, grid, padding_mode='border', align_corners=False)
