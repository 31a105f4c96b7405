"""Fonts for text with characters outside ASCII, which OpenCV cannot draw.

The fonts are those that matplotlib finds: its own DejaVu Sans (Latin, Greek, Cyrillic and more) and
the fonts of the system, possibly with Chinese, Japanese or Korean characters.
"""

import functools
from collections.abc import Iterator
from typing import Any

from PIL import ImageFont

OTHER = '?'
"""Replaces a character that no font has."""
_MOST_KEPT = 4096
_MOST_OPEN = 32


@functools.lru_cache(_MOST_KEPT)
def font_file(text: str) -> str | None:
    """Return the path of the first font that has the most characters of a text; None without
    matplotlib, which lists the fonts."""
    best, most = None, -1
    for path in _font_files():
        found = sum(_has(path, character) for character in text)
        if found > most:
            best, most = path, found
        if most == len(text):
            break
    return best


@functools.lru_cache(_MOST_KEPT)
def written(text: str) -> str:
    """Return a text in one line, with ``OTHER`` for each character that is not in its font."""
    path = font_file(text)
    return ''.join(
        character if character.isprintable() and path and _has(path, character) else OTHER
        for character in text
    )


@functools.lru_cache(_MOST_KEPT)
def font_of(text: str, pixels: int) -> ImageFont.FreeTypeFont | None:
    """Return Pillow's font for a text, with letters ``pixels`` high; None if there is no font."""
    path = font_file(text)
    return None if path is None else ImageFont.truetype(path, pixels)


def _font_files() -> Iterator[str]:
    """Yield the paths of upright fonts of usual weight, DejaVu Sans first."""
    try:
        from matplotlib.font_manager import FontProperties, fontManager
    except ImportError:
        return
    yield fontManager.findfont(FontProperties('DejaVu Sans'))
    for entry in sorted(fontManager.ttflist, key=lambda entry: (entry.name, entry.fname)):
        if entry.style == 'normal' and entry.weight in ('normal', 'regular', 400):
            yield entry.fname


@functools.lru_cache(_MOST_KEPT)
def _has(path: str, character: str) -> bool:
    font = _opened(path)
    return font is not None and font.get_char_index(ord(character)) > 0


@functools.lru_cache(_MOST_OPEN)
def _opened(path: str) -> Any:
    """Return a font as matplotlib opens it; None if it is damaged, or was deleted after matplotlib
    had listed it."""
    from matplotlib.ft2font import FT2Font

    try:
        return FT2Font(path)
    except (OSError, RuntimeError):
        return None
