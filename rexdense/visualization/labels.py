"""Label maps in the colours of their classes, with a legend."""

from collections.abc import Collection, Sequence

import cv2
import numpy as np

from rexdense.visualization.tiles import MARGIN, text_size, write_text

OPACITY = 0.55

_ROW_HEIGHT = 22
_SWATCH = 14
_TEXT_SIZE = 0.45
# Void is a pattern, because any plain colour may be that of a class.
_VOID_SHADES = (70, 130)
_VOID_SQUARE = 4
_NO_CLASS = 65535


def colour_labels(labels: np.ndarray, colours: Sequence[Sequence[int]]) -> np.ndarray:
    """Return a label map (H, W) as an RGB picture (H, W, 3), uint8; void is a grey pattern of
    squares.

    Args:
        labels: Class indices; indices without a colour are void.
        colours: (R, G, B) of each class.
    """
    table = np.zeros((65536, 3), np.uint8)
    table[: len(colours)] = colours
    picture = table[labels]
    rows, columns = np.nonzero(labels >= len(colours))
    odd = (rows // _VOID_SQUARE + columns // _VOID_SQUARE) % 2
    picture[rows, columns] = np.array(_VOID_SHADES, np.uint8)[odd][:, None]
    return picture


def draw_labels(
    image: np.ndarray,
    labels: np.ndarray,
    colours: Sequence[Sequence[int]],
    opacity: float | None = None,
    shown: Collection[int] | None = None,
) -> np.ndarray:
    """Return an image (H, W, 3), uint8, RGB, tinted with the colours of a label map (H, W).

    The image is converted to grey first, because its colours would distort those of the classes.

    Args:
        opacity: Opacity of the class colours, from 0 to 1; None takes ``OPACITY``.
        shown: Class indices whose pixels are tinted; None for all.
    """
    opacity = OPACITY if opacity is None else opacity
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    tinted = cv2.addWeighted(grey, 1 - opacity, colour_labels(labels, colours), opacity, 0)
    if shown is not None:
        left_out = ~np.isin(labels, list(shown))
        tinted[left_out] = grey[left_out]
    return tinted


def label_legend(
    found: Collection[int],
    classes: Sequence[str],
    colours: Sequence[Sequence[int]],
    width: int,
) -> np.ndarray:
    """Return a strip (H, width, 3), uint8, RGB, with the colours and names of the classes found.

    Args:
        found: Class indices; an index that is no class stands for void.
    """
    entries = [index for index in range(len(classes)) if index in found]
    names = [classes[index] for index in entries]
    if any(index >= len(classes) for index in found):
        entries, names = [*entries, _NO_CLASS], [*names, 'void']
    text_left = _SWATCH + 6
    names = [_shortened(name, width - text_left - MARGIN) for name in names]
    column = max((text_left + _text_width(name) for name in names), default=0) + 2 * MARGIN
    in_a_row = max(1, width // column)
    rows = -(-len(entries) // in_a_row)
    strip = np.full((rows * _ROW_HEIGHT + MARGIN, width, 3), 255, np.uint8)
    swatches = np.repeat(np.array(entries, np.uint16), _SWATCH)[:, None].repeat(_SWATCH, 1)
    swatches = colour_labels(swatches, colours).reshape(-1, _SWATCH, _SWATCH, 3)
    for place, (name, swatch) in enumerate(zip(names, swatches, strict=True)):
        row, position = divmod(place, in_a_row)
        top = MARGIN // 2 + row * _ROW_HEIGHT + (_ROW_HEIGHT - _SWATCH) // 2
        left = min(position * column + 4, max(width - _SWATCH, 0))
        shown = swatch[:, : width - left]
        strip[top : top + _SWATCH, left : left + _SWATCH] = shown
        cv2.rectangle(strip, (left, top), (left + _SWATCH - 1, top + _SWATCH - 1), (120, 120, 120))
        write_text(strip, name, left + text_left, top + _SWATCH - 3, _TEXT_SIZE)
    return strip


def _text_width(text: str) -> int:
    return text_size(text, _TEXT_SIZE)[0]


def _shortened(name: str, width: int) -> str:
    """Return the name, or the part of its beginning that fits, with two dots."""
    if _text_width(name) <= width:
        return name
    return next(
        (
            f'{name[:end]}..'
            for end in range(len(name), 0, -1)
            if _text_width(name[:end] + '..') <= width
        ),
        '',
    )
