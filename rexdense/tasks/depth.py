"""Depth estimators of mmseg: one distance per pixel."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from rexdense.tasks.task import Example, Task, map_of
from rexdense.visualization.depth import (
    colour_depth,
    depth_in_millimetres,
    depth_range,
    depth_scale,
    is_depth,
)
from rexdense.visualization.picture_files import encode_array, encode_grey_16
from rexdense.visualization.tiles import above_strip, beside, fitted, in_rows, legible, titled

DEPTH_ENDINGS = ('.png', '.npy')
TILE_HEIGHT = 240
SCALES_IN_A_ROW = 3


class Depth(Task):
    """Depth maps in metres.

    Attributes:
        data_ending: '.png' for 16-bit files in millimetres, '.npy' for float32 in metres.
    """

    data_folder = 'depth'

    def draw(self, image: np.ndarray, sample: Any, as_frame: bool = False) -> np.ndarray:
        """Return the image, the true depth if there is one, and the predicted depth, above a colour
        scale.

        The colours span the true depth if there is one. With an opacity, the predicted depth is
        drawn over the image.
        """
        named = {'predicted': map_of(sample, 'pred_depth_map')}
        if 'gt_depth_map' in sample:
            named = {'truth': map_of(sample, 'gt_depth_map'), **named}
        span = depth_range([next(iter(named.values()))])
        if self.opacity is not None:
            coloured = _coloured(image, named['predicted'], span)
            below = fitted(image, legible(image))
            mixed = cv2.addWeighted(below, 1 - self.opacity, coloured, self.opacity, 0)
            return _with_scale(mixed, span)
        tiles = [titled(fitted(image, legible(image)), 'image')]
        tiles += [titled(_coloured(image, depth, span), title) for title, depth in named.items()]
        return _with_scale(beside(tiles), span)

    def draw_sheet(self, examples: Sequence[Example]) -> np.ndarray:
        """Return rows of image, truth and prediction with one colour scale."""
        span = depth_range([map_of(example.sample, 'gt_depth_map') for example in examples])
        rows = []
        for example in examples:
            tiles = [titled(fitted(example.image, TILE_HEIGHT), 'image')]
            for key, title in (('gt_depth_map', 'truth'), ('pred_depth_map', 'predicted')):
                coloured = colour_depth(map_of(example.sample, key), *span)
                tiles.append(titled(fitted(coloured, TILE_HEIGHT), title))
            rows.append(beside(tiles))
        return _with_scale(in_rows(rows), span)

    def draw_scales(self, image: np.ndarray, samples: Mapping[int, Any]) -> np.ndarray:
        depths = {stride: map_of(sample, 'pred_depth_map') for stride, sample in samples.items()}
        span = depth_range(list(depths.values()))
        tiles = [
            titled(_coloured(image, depth, span), f'stride {stride}')
            for stride, depth in depths.items()
        ]
        return _with_scale(in_rows(tiles, SCALES_IN_A_ROW), span)

    def header(self) -> dict[str, Any]:
        return dict(unit='metre')

    def describe(self, sample: Any) -> tuple[str, dict[str, Any]]:
        """Return the nearest, median and farthest depth in metres."""
        depth = map_of(sample, 'pred_depth_map')
        values = depth[is_depth(depth)]
        if not values.size:
            return 'no depth', dict(nearest=None, median=None, farthest=None)
        described = {
            name: round(float(value), 3)
            for name, value in zip(
                ('nearest', 'median', 'farthest'), np.percentile(values, (0, 50, 100)), strict=True
            )
        }
        said = f'{described["nearest"]:.2f} to {described["farthest"]:.2f} m'
        if self.data_ending == '.png':
            _, beyond = depth_in_millimetres(depth)
            if beyond:
                said += f' ({beyond} pixels beyond 65.535 m, the most that 16 bits hold)'
        return said, described

    def depth(self, sample: Any) -> np.ndarray:
        """Return the predicted depth (H, W), float32, in metres."""
        return map_of(sample, 'pred_depth_map')

    def encode(self, sample: Any) -> bytes:
        """Return a 16-bit PNG in millimetres, or a .npy file of float32 in metres."""
        depth = map_of(sample, 'pred_depth_map')
        if self.data_ending == '.npy':
            return encode_array(depth)
        return encode_grey_16(depth_in_millimetres(depth)[0])


def _coloured(image: np.ndarray, depth: np.ndarray, span: tuple[float, float]) -> np.ndarray:
    return fitted(colour_depth(depth, *span), legible(image), keep_values=True)


def _with_scale(picture: np.ndarray, span: tuple[float, float]) -> np.ndarray:
    return above_strip(picture, lambda width: depth_scale(*span, width))
