"""Anchors, box deltas and feature levels in plain torch, exactly as in mmdet."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rexdense.errors import InvalidArgument


def require_kind(part: Any, kinds: str | Sequence[str], what: str) -> None:
    """Raise InvalidArgument unless the class of a detector's part has one of these names. Names are
    compared because mmdet is not imported."""
    known = (kinds,) if isinstance(kinds, str) else kinds
    if type(part).__name__ not in known:
        raise InvalidArgument(
            f'the detector has a {type(part).__name__} for its {what}; a graph is known for '
            f"mmdet's {' and '.join(known)}"
        )


def pad_to_multiple(images: Tensor, divisor: int) -> Tensor:
    """Pad images (N, C, H, W) with zeros below and on the right, to multiples of ``divisor``."""
    height, width = images.shape[2:]
    return F.pad(images, (0, -width % divisor, 0, -height % divisor))


class Anchors(nn.Module):
    """The anchors of one level, at every pixel of its feature map.

    Args:
        base: Anchors (A, 4) around the origin.
        stride: Image pixels per feature pixel, in x and y.
    """

    def __init__(self, base: Tensor, stride: tuple[int, int]) -> None:
        super().__init__()
        self.register_buffer('base', base.detach().clone().float())
        self.stride = stride

    def forward(self, height: int, width: int) -> Tensor:
        """Return (height * width * A, 4): row by row, with all anchors of a pixel together."""
        x = torch.arange(width, dtype=torch.float32) * self.stride[0]
        y = torch.arange(height, dtype=torch.float32) * self.stride[1]
        x, y = x[None, :].expand(height, width), y[:, None].expand(height, width)
        shifts = torch.stack((x, y, x, y), dim=2)
        return (shifts[:, :, None] + self.base).reshape(-1, 4)


def anchors_of(generator: Any) -> nn.ModuleList:
    """Return the anchors of each level of mmdet's anchor generator."""
    return nn.ModuleList(
        Anchors(base, stride)
        for base, stride in zip(generator.base_anchors, generator.strides, strict=True)
    )


class BoxDecoder(nn.Module):
    """Decoder from box deltas (dx, dy, dw, dh) to boxes (Girshick et al. 2014, appendix C).

    Args:
        coder: mmdet's DeltaXYWHBBoxCoder, which provides the settings.

    Raises:
        InvalidArgument: it is another coder, or clamps centres, as YOLOF's does.
    """

    def __init__(self, coder: Any) -> None:
        super().__init__()
        require_kind(coder, 'DeltaXYWHBBoxCoder', 'box coder')
        if coder.add_ctr_clamp:
            raise InvalidArgument('a box coder with add_ctr_clamp=True has no graph')
        self.register_buffer('means', torch.tensor(coder.means, dtype=torch.float32))
        self.register_buffer('stds', torch.tensor(coder.stds, dtype=torch.float32))
        self.clip_border = coder.clip_border
        # mmdet's wh_ratio_clip: the limit of the factor by which boxes grow and shrink.
        self.largest_log_ratio = abs(math.log(16 / 1000))

    def forward(self, boxes: Tensor, deltas: Tensor, height: int, width: int) -> Tensor:
        """Decode boxes and deltas (..., 4) to boxes (..., 4) within an image of that size."""
        deltas = deltas * self.stds + self.means
        limit = self.largest_log_ratio
        sides = boxes[..., 2:] - boxes[..., :2]
        centres = (boxes[..., :2] + boxes[..., 2:]) * 0.5 + sides * deltas[..., :2]
        halves = sides * deltas[..., 2:].clamp(-limit, limit).exp() * 0.5
        corners = torch.cat((centres - halves, centres + halves), dim=-1)
        if not self.clip_border:
            return corners
        x = torch.minimum(corners[..., 0::2].clamp(min=0), torch.scalar_tensor(width))
        y = torch.minimum(corners[..., 1::2].clamp(min=0), torch.scalar_tensor(height))
        return torch.stack((x[..., 0], y[..., 0], x[..., 1], y[..., 1]), dim=-1)


def levels_of(regions: Tensor, finest_scale: float, levels: int) -> Tensor:
    """Return the feature level (...,) of regions (..., 4). Larger regions are on coarser levels
    (Lin et al. 2017, equation 1; mmdet ``SingleRoIExtractor.map_roi_levels``)."""
    sides = regions[..., 2:] - regions[..., :2]
    scale = (sides[..., 0] * sides[..., 1]).sqrt()
    return torch.log2(scale / finest_scale + 1e-6).floor().clamp(0, levels - 1)
