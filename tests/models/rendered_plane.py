"""A textured plane, rendered as seen by a camera at several positions."""

from typing import NamedTuple

import torch
from torch import Tensor

from rexdense.models.losses.depth import pose_matrix


class Plane(NamedTuple):
    """The points X with ``normal @ X == distance`` in the target camera's frame."""

    normal: Tensor
    distance: float

    def seen_from(self, pose: Tensor, intrinsics: Tensor, size: tuple[int, int]):
        """Return the image (1, 3, H, W) and depth (1, 1, H, W) of the camera that sees a point X of
        the target camera's frame at ``pose @ X``."""
        pose, inverse = pose.double(), torch.linalg.inv(intrinsics.double())
        rotation, translation = pose[0, :3, :3], pose[0, :3, 3]
        v, u = torch.meshgrid(*(torch.arange(side).double() for side in size), indexing='ij')
        rays = torch.einsum('ij,jhw->ihw', inverse[0], torch.stack((u, v, torch.ones_like(u))))
        # The plane in this camera's frame: X = rotation^T (Y - translation).
        normal = rotation @ self.normal.double()
        depth = (self.distance + normal @ translation) / torch.einsum('i,ihw->hw', normal, rays)
        points = torch.einsum('ji,jhw->ihw', rotation, rays * depth - translation[:, None, None])
        return texture(points[0], points[1])[None].float(), depth[None, None].float()


def texture(x: Tensor, y: Tensor) -> Tensor:
    """Return colours (3, H, W) of smooth waves with several lengths and directions."""
    waves = [
        (1.1 * x + 0.4 * y, 0.3 * x - 1.3 * y),
        (2.3 * x - 1.9 * y, 3.1 * y + 0.8 * x),
        (4.1 * x + 3.3 * y, 4.7 * x - 2.9 * y),
    ]
    channels = [
        sum(torch.sin(a + phase) + torch.cos(b - 2 * phase) for a, b in waves)
        for phase in (0.0, 1.0, 2.0)
    ]
    return 0.5 + torch.stack(channels) / 14


INTRINSICS = torch.tensor([[[60.0, 0, 31.5], [0, 60, 23.5], [0, 0, 1]]])
SIZE = (48, 64)
FRONTAL = Plane(torch.tensor([0.0, 0, 1]), 4.0)
SLANTED = Plane(torch.tensor([0.35, -0.25, 0.9]), 3.6)


def motion(x: float, y: float = 0.0, z: float = 0.0, turn: float = 0.0) -> Tensor:
    """Return the pose of a camera moved by (-x, -y, -z) and turned about its vertical axis."""
    return pose_matrix(torch.tensor([[0.0, turn, 0.0]]), torch.tensor([[x, y, z]]).float())
