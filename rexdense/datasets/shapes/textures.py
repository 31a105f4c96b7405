"""What covers the ground and the objects of Shapes: colours, patterns and noise, drawn without knowing any class."""

import numpy as np

from rexdense.datasets.shapes.outlines import direction

__all__ = ['contrasting_color', 'fill', 'ground', 'ground_depth', 'random_color']

NEAREST, FARTHEST = 2.0, 6.0
"""Depth of the ground at the bottom and at the top edge of an image, in metres."""

_LATTICE = 32
_PATTERNS = ('plain', 'stripes', 'checks', 'dots', 'noise')


def ground_depth(rows: np.ndarray, height: int) -> np.ndarray:
    """Return the depth in metres of a flat ground at image rows, from ``FARTHEST`` at row 0 to ``NEAREST`` at ``height``.

    A plane seen by a pinhole camera has a depth of ``constant / (row - horizon)``; the horizon lies above the
    image, where the two depths put it.
    """
    horizon = NEAREST / (FARTHEST - NEAREST)
    return FARTHEST * horizon / (rows / height + horizon)


def random_color(rng: np.random.Generator) -> np.ndarray:
    """Return a colour (red, green, blue), each 32 to 223, so that textures have room on both sides."""
    return rng.integers(32, 224, 3)


def contrasting_color(
    rng: np.random.Generator, others: list[np.ndarray], candidates: int = 6
) -> np.ndarray:
    """Return the one of several random colours that differs most from the closest of ``others``."""
    colors = [random_color(rng) for _ in range(candidates)]
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
    x = (columns[None, :] - width / 2) * shrink[:, None]
    # The scale of y makes a pattern as high as wide at the bottom edge, where it is seen at full size.
    y = np.broadcast_to(
        (height * NEAREST / (FARTHEST - NEAREST) * FARTHEST / NEAREST * shrink)[:, None], x.shape
    )

    first = random_color(rng)
    second = np.clip(first + rng.integers(-60, 61, 3), 32, 223)
    cosine, sine = direction(int(rng.integers(0, 360)))
    slope = (
        cosine * (columns[None, :] / width - 0.5) + sine * (rows[:, None] / height - 0.5)
    ) * 0.7 + 0.5
    image = first + np.clip(slope, 0, 1)[:, :, None] * (second - first)
    for cell, strength in ((64, 26), (24, 16), (8, 9)):
        tint = rng.integers(strength // 2, strength + 1, 3)
        image = image + _noise(rng, y, x, cell)[:, :, None] * tint
    pattern = _pattern(rng, y, x, period=int(rng.integers(16, 49)))
    image = image + pattern[:, :, None] * rng.integers(4, 21, 3)
    return image, [first, second]


def fill(rng: np.random.Generator, height: int, width: int, color: np.ndarray) -> np.ndarray:
    """Return an object's surface around ``color``: patterned and shaded, (height, width, 3) of float64."""
    x = np.broadcast_to(np.arange(width)[None, :] + 0.5, (height, width))
    y = np.broadcast_to(np.arange(height)[:, None] + 0.5, (height, width))
    surface = _pattern(rng, y, x, period=int(rng.integers(5, 15)))[:, :, None] * rng.integers(
        8, 33, 3
    )
    cosine, sine = direction(int(rng.integers(0, 360)))
    shade = cosine * (x / width - 0.5) + sine * (y / height - 0.5)
    return color + surface + shade[:, :, None] * int(rng.integers(0, 50))


def _pattern(rng: np.random.Generator, y: np.ndarray, x: np.ndarray, period: int) -> np.ndarray:
    """A random pattern with values from -1 to 1 at coordinates (y, x), turned by a random angle."""
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
    """A square wave of period 1 with sloping edges."""
    return np.clip(12 * np.abs(phase - np.floor(phase) - 0.5) - 3, -1, 1)


def _noise(rng: np.random.Generator, y: np.ndarray, x: np.ndarray, cell: int) -> np.ndarray:
    """Value noise from -1 to 1: random values on a lattice of ``cell`` pixels, smoothly interpolated."""
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
