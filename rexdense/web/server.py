"""The server of the page, which loads nothing from other hosts."""

import contextlib
import errno
import json
import os
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rexdense.dependencies import needed_packages
from rexdense.errors import InvalidArgument
from rexdense.web.uploads import MEGABYTE

HEADERS = {
    # Browsers load nothing from other hosts, whatever a library's page asks for. Gradio's page has
    # inline scripts and styles, and compiles small functions.
    'content-security-policy': "default-src 'self'; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
}
OF_FILES = {
    # Files that visitors have uploaded are shown, never executed.
    'content-security-policy': "default-src 'none'; sandbox",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
}
_FILES = ('/gradio_api/file=', '/gradio_api/file/')
# Gradio limits the size of uploads itself.
_UPLOAD = '/gradio_api/upload'
# Gradio would fetch and forward files of other hosts, and pass a visitor's video to FFmpeg.
_REFUSED = re.compile('/gradio_api/(proxy=|file[=/]https?:|process_recording)', re.IGNORECASE)
# It would also fetch a file of another host that a message of the page names.
_ELSEWHERE = re.compile(r'\s*https?:', re.IGNORECASE)
LONGEST_MESSAGE = 4 * MEGABYTE
"""Longest message of the page in bytes. A message names settings and files; images are uploaded
separately."""


class OnlyFromHere:
    """ASGI middleware that sets ``HEADERS`` on every response, and ``OF_FILES`` on those with
    files. Nothing is fetched from other hosts, whether a URL or a message of the page asks for it.

    Args:
        app: The inner application.
    """

    def __init__(self, app: Callable) -> None:
        self.app = app

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        """Answer a request."""

        async def send_with_headers(message: dict) -> None:
            if message['type'] == 'http.response.start':
                of_file = any(start in scope['path'] for start in _FILES)
                chosen = OF_FILES if of_file else HEADERS
                added = [(name.encode(), value.encode()) for name, value in chosen.items()]
                names = {name for name, _ in added}
                kept = [pair for pair in message['headers'] if pair[0].lower() not in names]
                message = {**message, 'headers': [*kept, *added]}
            await send(message)

        if scope['type'] != 'http':
            await self.app(scope, receive, send)
            return
        status = 404 if _REFUSED.search(scope['path']) else None
        upload = scope['path'].rstrip('/') == _UPLOAD
        if status is None and scope['method'] == 'POST' and not upload:
            status, receive = await _checked(receive)
        if status is not None:
            await send_with_headers(dict(type='http.response.start', status=status, headers=[]))
            await send_with_headers(dict(type='http.response.body', body=b''))
            return
        await self.app(scope, receive, send_with_headers)


async def _checked(receive: Callable) -> tuple[int | None, Callable]:
    """Return the status with which a message of the page is refused (None if it is accepted), and a
    function that receives the message again."""
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        part = await receive()
        if part['type'] != 'http.request':
            return 400, receive
        chunks.append(part.get('body', b''))
        size, more = size + len(chunks[-1]), part.get('more_body', False)
        if size > LONGEST_MESSAGE:
            return 413, receive
    content = b''.join(chunks)
    given: list[dict] = [dict(type='http.request', body=content, more_body=False)]

    async def again() -> dict:
        return given.pop() if given else await receive()

    try:
        return (403 if _names_elsewhere(json.loads(content)) else None), again
    except RecursionError:
        return 400, again
    except ValueError:  # not a message that gradio accepts
        return None, again


def _names_elsewhere(message: Any) -> bool:
    """Return whether a message names a file on another host."""
    left = [message]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            path = value.get('path')
            if isinstance(path, str) and _ELSEWHERE.match(path):
                return True
            left += value.values()
        elif isinstance(value, list):
            left += value
    return False


def prepare_gradio(folder: Path) -> None:
    """Set the environment variables that gradio reads at import. It then sends no statistics, keeps
    no history in browsers, and stores uploads in ``folder``. Raise MissingDependency if gradio is
    not installed."""
    os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
    os.environ['GRADIO_RUN_HISTORY'] = 'False'
    os.environ['GRADIO_TEMP_DIR'] = str(folder)
    os.environ['HF_HUB_OFFLINE'] = '1'
    with needed_packages('the page'):
        import gradio  # noqa: F401


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Args:
        host: A name or an address of this machine.
        port: 0 for any free port.

    Raises:
        InvalidArgument: the port is in use or not allowed, or the host is not this machine.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind)
    except (OSError, UnicodeError) as error:
        raise InvalidArgument(
            f'--host {host}: {error}; give an address of this machine, such as 127.0.0.1'
        ) from error
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(address)
        found.listen(128)
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            taken = f'port {port} of {host} is in use'
            what = f'{taken}: give another --port, or 0 for any that is free'
        elif error.errno == errno.EACCES:
            what = f'port {port} is not for every user: give a --port above 1023, or 0 for any'
        else:
            reason = os.strerror(error.errno) if error.errno else error
            what = f'--host {host}: {reason}; give an address of this machine, such as 127.0.0.1'
        raise InvalidArgument(what) from error
    return found


def serve(app: Any, listening: socket.socket) -> None:
    """Serve an ASGI application on a socket until the process is interrupted or terminated."""
    with needed_packages('the page'):
        import uvicorn

    settings = uvicorn.Config(
        OnlyFromHere(app), log_level='warning', server_header=False, timeout_graceful_shutdown=2
    )
    # uvicorn raises the signal again after shutdown; files are deleted after that.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(settings).run(sockets=[listening])
