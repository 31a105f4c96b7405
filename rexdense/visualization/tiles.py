"""Layout of pictures with titles and legends, beside and below one another on white.

All pictures are RGB (H, W, 3), uint8.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rexdense.visualization.fonts import font_of, written

LEGEND_WIDTH = 240
MARGIN = 8
LEGIBLE_SIDE = 240
WIDEST_ROW = 1000
WIDEST_TILE = 3000
TITLE_HEIGHT = 26
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAPITAL, _EM = 22, 30
"""Pixels of a capital letter at a size of 1, and of the square around any letter."""
_INK = (40, 40, 40)
_WHITE = (255, 255, 255)


def fitted(image: np.ndarray, height: int, keep_values: bool = False) -> np.ndarray:
    """Return an image (H, W) or (H, W, 3) scaled to a height. A wide image is not enlarged beyond
    ``WIDEST_TILE``, and is lower then.

    Args:
        keep_values: Use nearest-neighbour interpolation, as labels need it.
    """
    factor = height / image.shape[0]
    if factor > 1:
        factor = min(factor, max(1, WIDEST_TILE / image.shape[1]))
    size = tuple(max(1, round(side * factor)) for side in image.shape[1::-1])
    if keep_values:
        return cv2.resize(image, size, interpolation=cv2.INTER_NEAREST_EXACT)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)


def legible(image: np.ndarray, side: int = LEGIBLE_SIDE) -> int:
    """Return a height, a multiple of the image's own, at which small details are visible.

    Args:
        side: Smallest longer side in pixels at this height.
    """
    height, width = image.shape[:2]
    return height * max(1, min(-(-side // width), -(-side // height)))


def write_text(
    image: np.ndarray,
    text: str,
    left: int,
    baseline: int,
    size: float = 0.5,
    ink: tuple[int, int, int] = _INK,
) -> None:
    """Draw a text into an image, with its first letter at (left, baseline).

    Args:
        size: 1 is about 22 pixels for a capital letter.
        ink: The colour (R, G, B).
    """
    text, at = _drawable(text), (left, baseline)
    font = _font(text, size)
    if font is None:
        cv2.putText(image, text, at, _FONT, size, ink, _stroke(size), cv2.LINE_AA)
        return
    before, above, after, under = map(int, font.getbbox(written(text), anchor='ls'))
    start, top = max(left + before, 0), max(baseline + above, 0)
    part = image[top : max(baseline + under + 1, 0), start : max(left + after + 1, 0)]
    if part.size:
        canvas = Image.fromarray(part)
        at = left - start, baseline - top
        ImageDraw.Draw(canvas).text(at, written(text), tuple(ink), font, anchor='ls')
        part[:] = np.asarray(canvas)


def text_size(text: str, size: float = 0.5) -> tuple[int, int, int]:
    """Return the width of a text in pixels, its height above the baseline, and what goes below."""
    text = _drawable(text)
    font = _font(text, size)
    if font is None:
        (width, height), under = cv2.getTextSize(text, _FONT, size, _stroke(size))
        return width, height, under
    _, top, width, bottom = font.getbbox(written(text), anchor='ls')
    return int(width) + 1, max(round(_CAPITAL * size), -int(top)), int(bottom) + 1


def _font(text: str, size: float) -> ImageFont.FreeTypeFont | None:
    """Return the font of a text that OpenCV cannot write, where there is one."""
    return None if text.isascii() else font_of(text, max(1, round(_EM * size)))


def _stroke(size: float) -> int:
    """Return the line width of letters in pixels, which grows with their size."""
    return max(1, round(1.8 * size))


def _drawable(text: str) -> str:
    """Return a text with '?' for lone surrogates, which crash OpenCV."""
    return text.encode(errors='replace').decode()


def titled(image: np.ndarray, *titles: str) -> np.ndarray:
    """Return the image below one or more lines of title, with a margin to the right and below."""
    bar = np.full((TITLE_HEIGHT * len(titles), image.shape[1], 3), 255, np.uint8)
    for place, title in enumerate(titles, start=1):
        write_text(bar, title, 4, TITLE_HEIGHT * place - 8)
    return padded(np.vstack([bar, image]), MARGIN, MARGIN)


def beside(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return the images side by side, aligned at the top."""
    tallest = max(image.shape[0] for image in images)
    return np.hstack([padded(image, tallest - image.shape[0], 0) for image in images])


def below(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return the images one below the other, aligned at the left."""
    widest = max(image.shape[1] for image in images)
    return np.vstack([padded(image, 0, widest - image.shape[1]) for image in images])


def in_rows(images: Sequence[np.ndarray], in_a_row: int | None = None) -> np.ndarray:
    """Return the images in rows and columns.

    Args:
        in_a_row: Images per row; None takes two if they fit into ``WIDEST_ROW``, else one.
    """
    widest = max(image.shape[1] for image in images)
    if in_a_row is None:
        in_a_row = 2 if 2 * widest <= WIDEST_ROW else 1
    images = [padded(image, 0, widest - image.shape[1]) for image in images]
    starts = range(0, len(images), in_a_row)
    return below([beside(images[start : start + in_a_row]) for start in starts])


def above_strip(picture: np.ndarray, draw: Callable[[int], np.ndarray]) -> np.ndarray:
    """Return the picture above a strip, such as a legend, which ``draw`` draws at a given width."""
    return below([picture, draw(max(picture.shape[1], LEGEND_WIDTH))])


def padded(image: np.ndarray, at_bottom: int, at_right: int) -> np.ndarray:
    """Return an image with white pixels added below it and on its right."""
    return cv2.copyMakeBorder(image, 0, at_bottom, 0, at_right, cv2.BORDER_CONSTANT, value=_WHITE)
