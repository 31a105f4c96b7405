"""Features of regions from the levels of a feature pyramid."""

from typing import Any

import torch
from torch import Tensor, nn

from rexdense.deploy.detection.boxes import levels_of, require_kind
from rexdense.deploy.detection.operators import pool_level
from rexdense.errors import InvalidArgument


class RegionPooling(nn.Module):
    """RoIAlign on the pyramid level for each region's size.

    Args:
        extractor: mmdet's SingleRoIExtractor.

    Raises:
        InvalidArgument: it is another extractor, or does not use RoIAlign with averages.
    """

    def __init__(self, extractor: Any) -> None:
        super().__init__()
        require_kind(extractor, 'SingleRoIExtractor', 'region features')
        self.strides, self.finest_scale = extractor.featmap_strides, extractor.finest_scale
        layer = extractor.roi_layers[0]
        require_kind(layer, 'RoIAlign', 'region pooling')
        if layer.pool_mode != 'avg':
            raise InvalidArgument(f'RoIAlign with pool_mode={layer.pool_mode!r} has no graph')
        self.size = tuple(layer.output_size)
        self.sampling_ratio, self.aligned = layer.sampling_ratio, layer.aligned

    def forward(self, features: tuple[Tensor, ...], regions: Tensor, valid: Tensor) -> Tensor:
        """Return (N * regions, C, height, width) for regions (N, regions, 4), with zeros for those
        that are not ``valid`` (N, regions)."""
        batch, count = regions.shape[:2]
        image = torch.arange(batch, dtype=regions.dtype)[:, None, None].expand(batch, count, 1)
        rows = torch.cat((image, regions), dim=2).flatten(0, 1)
        levels = levels_of(regions, self.finest_scale, len(self.strides))
        pooled = regions.new_zeros(batch * count, features[0].shape[1], *self.size)
        for level, stride in enumerate(self.strides):
            chosen = ((levels == level) & valid).flatten()
            pooled = pool_level(
                pooled, features[level], rows, chosen, stride, self.sampling_ratio, self.aligned
            )
        return pooled
