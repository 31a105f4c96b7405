"""Download a file of weights once: resumed when cut, checked by hash, shared by all processes."""

import hashlib
import os
import sys
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

from rexdense.destinations import prepare_output_dir
from rexdense.errors import CheckpointUnreadable
from rexdense.files import finish_partial, one_at_a_time, partial_file

__all__ = ['cache_folder', 'download', 'prepare_cache']


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but from https to nothing less."""

    def redirect_request(self, request, *arguments):
        following = super().redirect_request(request, *arguments)
        if following is not None and request.type == 'https' and following.type != 'https':
            raise ValueError(f'it redirects to {following.full_url}, which is not https')
        return following


_OPENER = urllib.request.build_opener(_NoDowngrade)
BLOCK = 1 << 20
TRIES = 4
SECONDS_WITHOUT_DATA = 30
SECONDS_BETWEEN_TRIES = 0.5


def cache_folder(folder: str | Path | None = None) -> Path:
    """Return the folder of downloads.

    Args:
        folder: The user's choice; None takes the environment variable REXDENSE_CACHE, else the
            ``checkpoints`` folder of torch's hub.
    """
    chosen = folder or os.environ.get('REXDENSE_CACHE')
    if chosen:
        return Path(chosen).expanduser()
    import torch

    return Path(torch.hub.get_dir()) / 'checkpoints'


def prepare_cache(folder: Path) -> None:
    """Make the folder of downloads.

    Raises:
        InvalidArgument: it cannot be made or written.
    """
    prepare_output_dir(folder, 'the folder of downloads (REXDENSE_CACHE)')


def download(
    address: str,
    path: Path,
    sha256: str | None = None,
    progress: bool = True,
) -> Path:
    """Download ``address`` to ``path`` unless the file is there, and return ``path``.

    The bytes come into ``NAME.part``, which a later call continues, and are moved into place when
    they are whole and have the right hash. Of several processes that ask, one downloads and the
    others wait. A file that somebody put at ``path`` is used, after the same check.

    Args:
        address: An http or https address.
        path: The file to write.
        sha256: The hash in hexadecimal digits, or its first digits.
        progress: Show how much has come on stderr, where that is a terminal.

    Raises:
        CheckpointUnreadable: nothing came, or not what the hash says.
        InvalidArgument: its folder cannot be made or written.
    """
    # A folder that may not be written can still hold the file.
    if not os.path.exists(path):
        prepare_cache(path.parent)
    with one_at_a_time(path):
        if path.exists():
            _require_hash(path, sha256, f'{path} is not the file that {address} should be')
            return path
        part = path.with_name(f'{path.name}.part')
        try:
            _fetch(address, part, progress)
        except (OSError, HTTPException, ValueError) as error:
            raise CheckpointUnreadable(
                f'{address} could not be downloaded ({_reason(error)}): try again, or fetch it in '
                f'another way and put it at {path}'
            ) from error
        try:
            _require_hash(part, sha256, f'{address} sent other bytes than were published')
        except CheckpointUnreadable:
            part.unlink()
            raise
        finish_partial(part, path)
    return path


def _fetch(address: str, part: Path, progress: bool) -> None:
    """Append what is missing to ``part``, going on after interruptions."""
    for attempt in range(1, TRIES + 1):
        try:
            if _fetch_rest(address, part, progress):
                return
        except urllib.error.HTTPError as error:
            if error.code == 416 and part.exists():
                # More is there than the file has: it is of another version.
                part.unlink()
            elif error.code < 500 or attempt == TRIES:
                raise
        except (OSError, HTTPException):
            if attempt == TRIES:
                raise
        time.sleep(SECONDS_BETWEEN_TRIES * attempt)
    raise OSError(f'the connection was cut {TRIES} times')


def _fetch_rest(address: str, part: Path, progress: bool) -> bool:
    """Append what one connection sends; return whether the file is whole."""
    held = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(address, headers={'User-Agent': 'rexdense'})
    if held:
        request.add_header('Range', f'bytes={held}-')
    with _OPENER.open(request, timeout=SECONDS_WITHOUT_DATA) as answer:
        continued = answer.status == 206
        held = held if continued else 0
        length = answer.headers.get('Content-Length')
        total = held + int(length) if length else None
        if 'text/html' in answer.headers.get('Content-Type', ''):
            raise ValueError('a web page came, no file')
        with partial_file(part, continued) as file:
            while block := answer.read(BLOCK):
                file.write(block)
                held += len(block)
                _show(progress, part, held, total)
    _show(progress, part, held, total, last=True)
    return total is None or held == total


def _show(progress: bool, part: Path, held: int, total: int | None, last: bool = False) -> None:
    if not progress or not sys.stderr.isatty():
        return
    share = f'{held / total:4.0%}' if total else ''
    end = '\n' if last else ''
    sys.stderr.write(f'\r{part.stem} {held / 1e6:7.1f} MB {share}{end}')
    sys.stderr.flush()


def _require_hash(path: Path, sha256: str | None, message: str) -> None:
    if sha256 is None:
        return
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(BLOCK):
            digest.update(block)
    found = digest.hexdigest()
    if not found.startswith(sha256.lower()):
        raise CheckpointUnreadable(
            f'{message}: its SHA-256 begins {found[: len(sha256)]}, not {sha256}; delete it and '
            'try again'
        )


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f'status {error.code}'
    return str(getattr(error, 'reason', error)) or type(error).__name__
