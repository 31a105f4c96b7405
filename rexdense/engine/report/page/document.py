"""The frame of the page: head, navigation, and embedded style and script."""

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

from rexdense import __version__
from rexdense.engine.report.page.markup import Markup, element, joined


class Section(NamedTuple):
    """A part of the page.

    Attributes:
        anchor: Its name in links.
        title: Its heading.
        content: Its content; a section with None is left out.
    """

    anchor: str
    title: str
    content: Markup | None


def document(title: str, notes: Sequence[str], sections: Sequence[Section]) -> bytes:
    """Return the page. Its content security policy forbids loading anything and allows only its own
    script.

    Args:
        notes: Lines shown above the sections.
    """
    style, script = (_part(name) for name in ('page.css', 'page.js'))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )
    there = [section for section in sections if section.content is not None]
    head = element(
        'head',
        element('meta', charset='utf-8'),
        element('meta', http_equiv='Content-Security-Policy', content=policy),
        element('meta', name='viewport', content='width=device-width, initial-scale=1'),
        element('title', title),
        element('style', style),
    )
    links = [element('a', section.title, href=f'#{section.anchor}') for section in there]
    body = element(
        'body',
        element('header', element('h1', title), element('nav', *links)),
        element(
            'main',
            element('ul', *(element('li', note) for note in notes), class_='notes')
            if notes
            else None,
            *(
                element('section', element('h2', each.title), each.content, id=each.anchor)
                for each in there
            ),
        ),
        element('footer', f'Made by rexdense report, rexdense {__version__}.'),
        element('script', script),
    )
    page = joined([Markup('<!DOCTYPE html>\n'), element('html', head, body, lang='en'), '\n'])
    return page.encode()


def _part(name: str) -> Markup:
    """Return a file beside this module, written so that HTML and XML parse it alike."""
    return Markup(resources.files(__package__).joinpath(name).read_text(encoding='utf-8'))
