"""Serving the page: on a socket of its own, with nothing loaded from elsewhere."""

import contextlib
import errno
import os
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rexdense.dependencies import needed_packages
from rexdense.errors import InvalidArgument

__all__ = ['HEADERS', 'OnlyFromHere', 'listen', 'prepare_gradio', 'serve']

HEADERS = {
    # Whatever a library's page names, browsers load nothing from elsewhere. Gradio's page has
    # scripts and styles in its text, and compiles small functions.
    'content-security-policy': "default-src 'self'; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
}
OF_FILES = {
    # What visitors have uploaded is shown, never run.
    'content-security-policy': "default-src 'none'; sandbox",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
}
_FILES = '/gradio_api/file='
# Gradio would fetch what lies elsewhere and hand it on.
_FROM_ELSEWHERE = re.compile('/gradio_api/(proxy=|file=https?:)', re.IGNORECASE)


class OnlyFromHere:
    """ASGI middleware that puts ``HEADERS`` on every answer, and ``OF_FILES`` on those with files;
    what lies elsewhere is not fetched.

    Args:
        app: The application within.
    """

    def __init__(self, app: Callable) -> None:
        self.app = app

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        """Answer a request."""

        async def send_with_headers(message: dict) -> None:
            if message['type'] == 'http.response.start':
                chosen = OF_FILES if _FILES in scope['path'] else HEADERS
                added = [(name.encode(), value.encode()) for name, value in chosen.items()]
                names = {name for name, _ in added}
                kept = [pair for pair in message['headers'] if pair[0].lower() not in names]
                message = {**message, 'headers': [*kept, *added]}
            await send(message)

        whole = scope['type'] == 'http'
        if whole and _FROM_ELSEWHERE.search(scope['path']):
            await send(dict(type='http.response.start', status=404, headers=[]))
            await send(dict(type='http.response.body', body=b''))
            return
        await self.app(scope, receive, send_with_headers if whole else send)


def prepare_gradio(folder: Path) -> None:
    """Set what gradio reads of the environment when it is imported: it sends nothing to its makers,
    keeps no history in browsers, and what is uploaded in a folder.

    Raises:
        MissingDependency: gradio is not installed.
    """
    os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
    os.environ['GRADIO_RUN_HISTORY'] = 'False'
    os.environ['GRADIO_TEMP_DIR'] = str(folder)
    os.environ['HF_HUB_OFFLINE'] = '1'
    with needed_packages('rexdense web'):
        import gradio  # noqa: F401


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there.

    Args:
        host: A name or an address of this machine.
        port: 0 for any that is free.

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
    """Serve an ASGI application on a socket until the process is interrupted, or asked to end."""
    with needed_packages('rexdense web'):
        import uvicorn

    settings = uvicorn.Config(
        OnlyFromHere(app), log_level='warning', server_header=False, timeout_graceful_shutdown=2
    )
    # uvicorn raises the signal anew once it is done; files are cleared away after that.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(settings).run(sockets=[listening])
