"""Where the page is served, and what every answer says."""

import asyncio
import json
import socket

import pytest

from rexdense.errors import InvalidArgument
from rexdense.web.server import HEADERS, LONGEST_MESSAGE, OF_FILES, OnlyFromHere, listen


def test_a_free_port():
    with listen('127.0.0.1', 0) as listening:
        host, port = listening.getsockname()
        assert host == '127.0.0.1' and port > 0
        with socket.create_connection((host, port), timeout=5):
            pass


def test_a_port_in_use():
    with listen('127.0.0.1', 0) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(InvalidArgument, match=f'^port {port} of 127.0.0.1 is in use: give an'):
            listen('127.0.0.1', port)


@pytest.mark.parametrize('host', ['192.0.2.1', 'no.such.host.invalid', '1.2.3.4.5', '\ud800'])
def test_another_machine(host):
    with pytest.raises(InvalidArgument, match='give an address of this machine'):
        listen(host, 0)


@pytest.mark.parametrize(
    ('path', 'expected'),
    [
        ('/', HEADERS),
        ('/gradio_api/file=/tmp/a.svg', OF_FILES),
        ('/gradio_api/file//tmp/a.svg', OF_FILES),
        ('/assets/index.js', HEADERS),
    ],
)
def test_headers_of_answers(path, expected):
    sent = []

    async def app(scope, receive, send):
        headers = [(b'Content-Type', b'text/html'), (b'Content-Security-Policy', b'default-src *')]
        await send(dict(type='http.response.start', status=200, headers=headers))
        await send(dict(type='http.response.body', body=b'x'))

    async def send(message):
        sent.append(message)

    asyncio.run(OnlyFromHere(app)(_get(path), None, send))
    headers = [(name.decode().lower(), value.decode()) for name, value in sent[0]['headers']]
    assert dict(headers) == {'content-type': 'text/html', **expected}
    assert len(headers) == len(dict(headers))
    assert sent[1]['body'] == b'x'


@pytest.mark.parametrize(
    'path',
    [
        '/gradio_api/file=HTTP://a.b/c',
        '/gradio_api/file/https://a.b/c',
        '/gradio_api/proxy=https://a',
        '/gradio_api/process_recording',
    ],
)
def test_nothing_is_fetched_for_others(path):
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(OnlyFromHere(None)(_get(path), None, send))
    assert sent[0]['status'] == 404


def _get(path):
    return dict(type='http', method='GET', path=path, headers=[])


def _posted(content, path='/gradio_api/queue/join', size=7):
    """What an application within is given of a message that comes in pieces, and the status."""
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    parts = [dict(type='http.request', body=piece, more_body=True) for piece in pieces]
    parts.append(dict(type='http.request', body=b'', more_body=False))
    sent, given = [], []

    async def app(scope, receive, send):
        while True:
            part = await receive()
            given.append(part['body'])
            if not part.get('more_body'):
                break
        await send(dict(type='http.response.start', status=200, headers=[]))

    async def receive():
        return parts.pop(0)

    async def send(message):
        sent.append(message)

    kinds = (b'application/json', b'multipart/form-data; boundary=x')
    scope = dict(type='http', method='POST', path=path)
    scope['headers'] = [(b'content-type', kind) for kind in kinds]
    asyncio.run(OnlyFromHere(app)(scope, receive, send))
    return sent[0]['status'], b''.join(given)


def test_messages_of_the_page_name_no_file_elsewhere():
    kept = dict(path='/tmp/a.png', url='http://127.0.0.1:7860/gradio_api/file=/tmp/a.png')
    for data in ([kept], [[kept, 0.3]], [{'path': None}], []):
        content = json.dumps(dict(data=data, fn_index=4)).encode()
        assert _posted(content) == (200, content)
    for data in ([{'path': 'https://a.b/c.png'}], [[kept, {'x': {'path': 'HTTP://a/b'}}]]):
        assert _posted(json.dumps(dict(data=data)).encode()) == (403, b'')


def test_messages_that_are_none():
    assert _posted(b'not JSON') == (200, b'not JSON')
    assert _posted(b'[' * 200_000, size=1000) == (400, b'')
    assert _posted(b' ' * (LONGEST_MESSAGE + 1), size=100_000) == (413, b'')
    many = b'x' * (LONGEST_MESSAGE + 1)
    assert _posted(many, '/gradio_api/upload', size=100_000) == (200, many)


def test_nothing_from_elsewhere_is_allowed():
    for policy in (HEADERS, OF_FILES):
        for rule in policy['content-security-policy'].split(';'):
            for source in rule.split()[1:]:
                assert source.startswith("'") or source in ('data:', 'blob:')
