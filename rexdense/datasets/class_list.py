"""The class names of a folder of label maps, and their colours."""

import colorsys
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rexdense.errors import DataError

__all__ = ['ClassList', 'class_colours', 'read_class_list']

MOST_CLASSES = 255
"""Labels are bytes, and 255 is void."""

_BACKGROUND = ('background', 'unlabelled', 'unlabeled', 'void', 'other')
_GOLDEN_RATIO = (1 + 5**0.5) / 2
# A name and, if it is followed by three numbers, its colour.
_LINE = re.compile(r'(.+?)(?:[\s,]+(\d+)[\s,]+(\d+)[\s,]+(\d+))?')


class ClassList(NamedTuple):
    """Class names in the order of the labels, and the colour (R, G, B) of each."""

    names: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]


def class_colours(names: Sequence[str]) -> tuple[tuple[int, int, int], ...]:
    """Return a colour (R, G, B) for each class: black for a background, for the others hues a
    golden section apart, which never return, in turns of lightness.

    Example:
        >>> class_colours(['background', 'cell'])
        ((0, 0, 0), (235, 71, 71))
    """
    colours = []
    for index, name in enumerate(names):
        if index == 0 and name.lower() in _BACKGROUND:
            colours.append((0, 0, 0))
            continue
        place = len(colours) - (colours[:1] == [(0, 0, 0)])
        hue = place / _GOLDEN_RATIO % 1
        lightness, saturation = ((0.6, 0.8), (0.4, 0.7), (0.75, 0.9))[place % 3]
        colours.append(
            tuple(round(255 * part) for part in colorsys.hls_to_rgb(hue, lightness, saturation))
        )
    return tuple(colours)


def read_class_list(path: Path) -> ClassList:
    """Read ``classes.txt``: a name a line, in the order of the labels, from 0; three numbers after
    a name, from 0 to 255, are its colour.

    Raises:
        DataError: the file is not there, holds fewer than two names or more than labels can tell
            apart, a name twice, or a colour beyond 255.
    """
    try:
        text = path.read_text(encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or 'it is no UTF-8 text'
        raise DataError(
            f'{path} cannot be read ({reason}); it must hold a class name a line, in the order of '
            'the labels'
        ) from error
    lines = [_LINE.fullmatch(line.strip()) for line in text.splitlines() if line.strip()]
    names = tuple(line[1] for line in lines)
    if not 2 <= len(names) <= MOST_CLASSES:
        raise DataError(
            f'{path} holds {len(names)} class {"name" if len(names) == 1 else "names"}, and 2 to '
            f'{MOST_CLASSES} can be told apart'
            + ('; name the background too, as label 0' if len(names) == 1 else '')
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f'{path} names {twice[0]!r} twice; each line is a class of its own')
    colours = list(class_colours(names))
    for index, line in enumerate(lines):
        if line[2]:
            colours[index] = tuple(int(part) for part in line.groups()[1:])
            if max(colours[index]) > 255:
                raise DataError(
                    f'{path}: {line[0]!r} has a colour beyond 255; give red, green and blue from '
                    '0 to 255'
                )
    return ClassList(names, tuple(colours))
