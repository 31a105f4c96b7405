"""Elements of HTML and SVG as escaped text."""

import html
import re
from collections.abc import Iterable

# Characters that XML 1.0 does not allow (section 2.2), and lone surrogates.
_NO_CHARACTER = re.compile(r'[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]')
_WITHOUT_END = ('br', 'img', 'link', 'meta')


class Markup(str):
    """Text that is markup; any other text is escaped when it is inserted."""

    __slots__ = ()


def element(tag: str, *content: object, **attributes: object) -> Markup:
    """Return an element that is well-formed as HTML and as XML.

    Args:
        content: Markup, or values that become text; None is left out.
        attributes: A leading or final underscore, needed for Python keywords, is removed; other
            underscores become hyphens. True stands for the name itself, None and False omit it.

    Example:
        >>> element('p', 'a < b', element('br'), class_='note')
        '<p class="note">a &lt; b<br/></p>'
    """
    words = [tag]
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        name = name.strip('_').replace('_', '-')
        words.append(f'{name}="{_escaped(name if value is True else value)}"')
    if tag in _WITHOUT_END:
        return Markup(f'<{" ".join(words)}/>')
    return Markup(f'<{" ".join(words)}>{joined(content)}</{tag}>')


def joined(parts: Iterable[object]) -> Markup:
    """Return parts as one piece of markup; None is left out."""
    return Markup(
        ''.join(
            part if isinstance(part, Markup) else _escaped(part)
            for part in parts
            if part is not None
        )
    )


def _escaped(value: object) -> str:
    return html.escape(_NO_CHARACTER.sub('\N{REPLACEMENT CHARACTER}', str(value)))
