"""Where the page is served, and what every answer says."""

import asyncio
import socket

import pytest

from rexdense.errors import InvalidArgument
from rexdense.web.server import HEADERS, OF_FILES, OnlyFromHere, listen


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
    [('/', HEADERS), ('/gradio_api/file=/tmp/a.svg', OF_FILES), ('/assets/index.js', HEADERS)],
)
def test_headers_of_answers(path, expected):
    sent = []

    async def app(scope, receive, send):
        headers = [(b'Content-Type', b'text/html'), (b'Content-Security-Policy', b'default-src *')]
        await send(dict(type='http.response.start', status=200, headers=headers))
        await send(dict(type='http.response.body', body=b'x'))

    async def send(message):
        sent.append(message)

    asyncio.run(OnlyFromHere(app)(dict(type='http', path=path), None, send))
    headers = [(name.decode().lower(), value.decode()) for name, value in sent[0]['headers']]
    assert dict(headers) == {'content-type': 'text/html', **expected}
    assert len(headers) == len(dict(headers))
    assert sent[1]['body'] == b'x'


@pytest.mark.parametrize('path', ['/gradio_api/file=HTTP://a.b/c', '/gradio_api/proxy=https://a'])
def test_nothing_is_fetched_for_others(path):
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(OnlyFromHere(None)(dict(type='http', path=path), None, send))
    assert sent[0]['status'] == 404


def test_nothing_from_elsewhere_is_allowed():
    for policy in (HEADERS, OF_FILES):
        for rule in policy['content-security-policy'].split(';'):
            for source in rule.split()[1:]:
                assert source.startswith("'") or source in ('data:', 'blob:')
