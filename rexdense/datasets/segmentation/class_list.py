"""The class names of a folder of label maps, and their colours."""

import colorsys
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rexdense.datasets.text_files import MOST_NAMES_BYTES, read_text
from rexdense.errors import DataError

MOST_CLASSES = 255
"""Labels are bytes, and 255 is void."""
LONGEST_LINE = 1000

_BACKGROUND = ('background', 'unlabelled', 'unlabeled', 'void', 'other')
_GOLDEN_RATIO = (1 + 5**0.5) / 2
# A name and, if it is followed by three numbers, its colour.
_LINE = re.compile(r'(.+?)(?:[\s,;]+(\d+)[\s,;]+(\d+)[\s,;]+(\d+))?')
_COMMENT = re.compile(r'(?:^|\s)#.*')
_COLOUR = re.compile(r'#[0-9a-fA-F]{6}\b')
_HEADER = re.compile(r'(class|name|label)s?[\s,;]+r(ed)?[\s,;]+g(reen)?[\s,;]+b(lue)?', re.I)
# A label before a name, and a separator that no name contains.
_NUMBERED = re.compile(r'(\d+)\s*[\s:,;.=)\t]\s*(\S.*)')


class ClassList(NamedTuple):
    """Class names in the order of the labels, and the colour (R, G, B) of each."""

    names: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]


def class_colours(names: Sequence[str]) -> tuple[tuple[int, int, int], ...]:
    """Return a colour (R, G, B) for each class: black for a background, and hues at distances of
    the golden section, which never repeat, with alternating lightness for the others.

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
    """Read ``classes.txt``, with a name per line in the order of the labels, from 0. Three numbers
    from 0 to 255 after a name are its colour.

    Blank lines, text after a ``#`` and a heading such as ``name,r,g,b`` are ignored. If every line
    begins with a number, this is its label.

    Raises:
        DataError: the file is missing, has fewer than two names or more than there are labels, has
            a name twice, a colour above 255, or labels other than 0, 1, 2 ...
    """
    try:
        text = read_text(path, MOST_NAMES_BYTES)
    except DataError as error:
        raise DataError(
            f'{error}; it must hold a class name a line, in the order of the labels'
        ) from error
    named = _lines(path, text)
    if not 2 <= len(named) <= MOST_CLASSES:
        raise DataError(
            f'{path} holds {len(named)} class {"name" if len(named) == 1 else "names"}, and 2 to '
            f'{MOST_CLASSES} can be told apart'
            + ('; name the background too, as label 0' if len(named) == 1 else '')
        )
    # The regular expression takes quadratic time in the length of a line.
    longest = max(named, key=len)
    if len(longest) > LONGEST_LINE:
        raise DataError(
            f'{path} has a line of {len(longest)} characters ({longest[:20]!r} ...), and a class '
            f'name has {LONGEST_LINE} at most'
        )
    lines = [_LINE.fullmatch(line) for line in _in_order(path, named)]
    names = tuple(line[1] for line in lines)
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


def _lines(path: Path, text: str) -> list[str]:
    """Return the lines that name classes, without comments."""
    lines = []
    for line in text.splitlines():
        if _COLOUR.match(line.strip()):
            raise DataError(
                f'{path}: {line.strip()!r} begins with #, as comments do; write a colour after the '
                'name, as red, green and blue from 0 to 255'
            )
        named = _COMMENT.sub('', line).strip()
        if named and not (_HEADER.fullmatch(named) and not lines):
            lines.append(named)
    return lines


def _in_order(path: Path, lines: list[str]) -> list[str]:
    """Return the lines without their labels, in the order of these, if every line has one."""
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    if not all(numbered):
        return lines
    labels = [int(line[1]) for line in numbered]
    if sorted(labels) != list(range(len(labels))):
        raise DataError(
            f'{path} numbers its classes {", ".join(map(str, labels[:8]))}'
            f'{" ..." if len(labels) > 8 else ""}; labels are 0, 1, 2 and so on, each of one line, '
            'so name label 0 (often the background) too, or take the numbers out'
        )
    return [name for _, name in sorted(zip(labels, (line[2] for line in numbered), strict=True))]
