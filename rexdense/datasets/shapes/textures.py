"""Textures of the ground and the objects of Shapes: colours, patterns and noise.

Nothing here depends on the class of an object, so that no colour or pattern reveals it.
"""

import numpy as np

from rexdense.datasets.shapes.outlines import direction

NEAREST, FARTHEST = 2.0, 6.0
"""Depth of the ground at the bottom and at the top edge of an image, in metres."""

_LATTICE = 32
_PATTERNS = ('plain', 'stripes', 'checks', 'dots', 'noise')


def ground_depth(rows: np.ndarray, height: int) -> np.ndarray:
    """Return the depth of a flat ground in metres, from ``FARTHEST`` at row 0 to ``NEAREST``.

    For a pinhole camera, the depth of a plane is ``constant / (row - horizon)``. The two depths
    place the horizon above the image.

    Args:
        rows: distances from the top edge of the image, in pixels.
    """
    horizon = NEAREST / (FARTHEST - NEAREST)
    return FARTHEST * horizon / (rows / height + horizon)


def random_color(rng: np.random.Generator) -> np.ndarray:
    """Return a colour (red, green, blue), each 32 to 223, to leave textures room on both sides."""
    return rng.integers(32, 224, 3)


def contrasting_color(rng: np.random.Generator, others: list[np.ndarray]) -> np.ndarray:
    """Return the one of six random colours that differs most from the closest of ``others``."""
    colors = [random_color(rng) for _ in range(6)]
    return max(colors, key=lambda color: min(int(np.abs(color - other).sum()) for other in others))


def ground(
    rng: np.random.Generator, height: int, width: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return a textured ground in perspective, and the two colours between which it changes.

    Returns:
        An array (height, width, 3) of float64, about 0 to 255, and two colours.
    """
    rows, columns = np.arange(height) + 0.5, np.arange(width) + 0.5
    shrink = ground_depth(rows, height) / NEAREST
    # Ground coordinates in pixels of the bottom edge, where a pattern is as high as wide.
    x = (columns[None, :] - width / 2) * shrink[:, None]
    y = np.zeros(x.shape) + shrink[:, None] * height * FARTHEST / (FARTHEST - NEAREST)

    first = random_color(rng)
    second = np.clip(first + rng.integers(-60, 61, 3), 32, 223)
    slope = 0.5 + 0.7 * _ramp(rng, height, width)
    image = first + np.clip(slope, 0, 1)[:, :, None] * (second - first)
    for cell, strength in ((64, 26), (24, 16), (8, 9)):
        tint = rng.integers(strength // 2, strength + 1, 3)
        image += _noise(rng, y, x, cell)[:, :, None] * tint
    pattern = _pattern(rng, y, x, period=int(rng.integers(16, 49)))
    image += pattern[:, :, None] * rng.integers(4, 17, 3)
    return image, [first, second]


def fill(rng: np.random.Generator, height: int, width: int, color: np.ndarray) -> np.ndarray:
    """Return an object's patterned and shaded surface, (height, width, 3) of float64."""
    y, x = np.mgrid[:height, :width] + 0.5
    pattern = _pattern(rng, y, x, period=int(rng.integers(5, 15)))
    surface = color + pattern[:, :, None] * rng.integers(6, 25, 3)
    return surface + _ramp(rng, height, width)[:, :, None] * int(rng.integers(0, 50))


def _ramp(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return values that increase linearly in a random direction, 0 in the middle of the image."""
    cosine, sine = direction(int(rng.integers(0, 360)))
    x, y = (np.arange(width) + 0.5) / width - 0.5, (np.arange(height) + 0.5) / height - 0.5
    return cosine * x[None, :] + sine * y[:, None]


def _pattern(rng: np.random.Generator, y: np.ndarray, x: np.ndarray, period: int) -> np.ndarray:
    """Return a random pattern at coordinates (y, x), from -1 to 1, rotated by a random angle."""
    kind = _PATTERNS[int(rng.integers(0, len(_PATTERNS)))]
    cosine, sine = direction(int(rng.integers(0, 360)))
    along, across = (cosine * x + sine * y) / period, (cosine * y - sine * x) / period
    if kind == 'stripes':
        return _wave(along)
    if kind == 'checks':
        return _wave(along) * _wave(across)
    if kind == 'dots':
        a, b = along - np.floor(along) - 0.5, across - np.floor(across) - 0.5
        return np.clip((0.09 - a * a - b * b) * 20, -1, 1)
    if kind == 'noise':
        return _noise(rng, y, x, period)
    return np.zeros(y.shape)


def _wave(phase: np.ndarray) -> np.ndarray:
    """Return a square wave of period 1 with sloping edges."""
    return np.clip(12 * np.abs(phase - np.floor(phase) - 0.5) - 3, -1, 1)


def _noise(rng: np.random.Generator, y: np.ndarray, x: np.ndarray, cell: int) -> np.ndarray:
    """Return noise from -1 to 1: random values at steps of ``cell`` pixels, smoothly
    interpolated."""
    lattice = rng.random((_LATTICE, _LATTICE)) * 2 - 1
    y, x = y / cell, x / cell
    row, column = np.floor(y), np.floor(x)
    down, right = y - row, x - column
    down, right = down * down * (3 - 2 * down), right * right * (3 - 2 * right)
    row, column = row.astype(np.int64) % _LATTICE, column.astype(np.int64) % _LATTICE
    below, beside = (row + 1) % _LATTICE, (column + 1) % _LATTICE
    upper = lattice[row, column] * (1 - right) + lattice[row, beside] * right
    lower = lattice[below, column] * (1 - right) + lattice[below, beside] * right
    return upper * (1 - down) + lower * down
