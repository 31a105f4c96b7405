"""Feature maps in colour, and heat over an image."""

from collections.abc import Sequence

import cv2
import numpy as np

from rexdense.visualization.tiles import below, beside, titled

TILE = 144
"""Height of a map on the sheet, in pixels."""
HEAT = 0.5
"""Opacity of the colours at the hottest place."""


def colour_map(values: np.ndarray, height: int) -> np.ndarray:
    """Return a map (h, w) as an RGB picture (height, W, 3), uint8, from dark violet (lowest value)
    to yellow (highest), with a rectangle per cell. A constant map is dark."""
    low, high = float(values.min()), float(values.max())
    share = (values - low) / (high - low) if high > low else np.zeros(values.shape)
    levels = np.rint(255 * share).astype(np.uint8)
    width = max(1, round(height * values.shape[1] / values.shape[0]))
    levels = cv2.resize(levels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return np.ascontiguousarray(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[..., ::-1])


def draw_maps(
    image: np.ndarray, rows: Sequence[tuple[str, Sequence[tuple[int, np.ndarray]]]]
) -> np.ndarray:
    """Return a sheet (H, W, 3), uint8, RGB, with a row per level: the image and maps of the level.

    Args:
        image: RGB (H, W, 3), uint8.
        rows: The title and the (channel, map (h, w)) pairs of each level.
    """
    width = max(1, round(TILE * image.shape[1] / image.shape[0]))
    small = cv2.resize(image, (width, TILE), interpolation=cv2.INTER_AREA)
    return below(
        [
            titled(
                beside(
                    [
                        titled(small, 'image'),
                        *(titled(colour_map(map_, TILE), str(channel)) for channel, map_ in maps),
                    ]
                ),
                title,
            )
            for title, maps in rows
        ]
    )


def heat_over(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Return an image (H, W, 3), uint8, RGB, with a coarse map (h, w) of values from 0 on as
    overlay.

    The overlay is red at the highest value. At 0 the image is unchanged.
    """
    size = image.shape[1::-1]
    share = cv2.resize(heat.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    share = np.clip(share / max(float(heat.max()), np.finfo(np.float32).tiny), 0, 1)
    colours = cv2.applyColorMap(np.rint(255 * share).astype(np.uint8), cv2.COLORMAP_TURBO)
    weight = HEAT * share[..., None]
    return np.rint(image * (1 - weight) + colours[..., ::-1] * weight).astype(np.uint8)
