"""Downloads of weight files: resumed, checked by hash, and shared by all processes."""

import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any

from rexdense.checkpoint.formats.archives import require_checksums
from rexdense.checkpoint.formats.content import ZIP_PICKLE, recognise_content
from rexdense.checkpoint.sidecar import file_digest
from rexdense.errors import CheckpointUnreadable, UnwritableFile
from rexdense.files.destinations import prepare_output_dir, reason, takes_no_more, unwritable
from rexdense.files.locks import one_at_a_time
from rexdense.files.writing import atomic_write, finish_partial, partial_file


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not from https to another scheme."""

    def redirect_request(self, request, *arguments):
        following = super().redirect_request(request, *arguments)
        if following is not None and request.type == 'https' and following.type != 'https':
            raise ValueError(f'it redirects to {following.full_url}, which is not https')
        return following


OPENER = urllib.request.build_opener(_NoDowngrade)
BLOCK = 1 << 20
TRIES = 4
SECONDS_WITHOUT_DATA = 30
SECONDS_BETWEEN_TRIES = 0.5
_CONTENT_RANGE = re.compile(r'bytes (\d+)-(\d+)/(\d+)')


def cache_folder() -> Path:
    """Return the download folder: the environment variable REXDENSE_CACHE, or else the
    ``checkpoints`` folder of torch's hub."""
    chosen = os.environ.get('REXDENSE_CACHE')
    if chosen:
        return Path(chosen).expanduser()
    import torch

    return Path(torch.hub.get_dir()) / 'checkpoints'


def download(
    address: str,
    path: Path,
    sha256: str | None = None,
    fetch: Callable[[Path], object] | None = None,
) -> Path:
    """Download ``address`` to ``path`` if the file does not exist, and return ``path``.

    The bytes go to ``NAME.part``. It is renamed when it is complete and has the right hash. A later
    call resumes it if the server's file has not changed: ``NAME.part.from`` holds the version that
    the server gave.

    If several processes want the file, one downloads it and the others wait. An existing file at
    ``path`` is used if its hash is right.

    Args:
        address: An http or https address; with ``fetch``, the name in messages.
        path: The file to write.
        sha256: The hash in hexadecimal digits, or its first digits. Without it, the file must have
            the form of a complete checkpoint.
        fetch: Function that writes the file to a path if there is no plain address; it raises
            OSError.

    Raises:
        CheckpointUnreadable: the download failed or has another hash, or ``path`` is not a file or
            cannot be read.
        InvalidArgument: its folder cannot be created or written.
        UnwritableFile: the disk is full.
    """
    # A read-only folder can still hold the file.
    if not os.path.exists(path):
        prepare_output_dir(path.parent, 'the folder of downloads (REXDENSE_CACHE)')
    with one_at_a_time(path):
        if path.exists():
            _require_kept(path, address)
            _require_hash(path, sha256, f'{path} is not the file that {address} should be')
            return path
        part = path.with_name(f'{path.name}.part')
        try:
            fetch(part) if fetch else _fetch(address, part)
        except UnwritableFile:
            raise
        except (OSError, HTTPException, ValueError) as error:
            if takes_no_more(error):
                raise unwritable(part, error) from error
            raise CheckpointUnreadable(
                f'{address} could not be downloaded ({_reason(error)}): try again, or fetch it in '
                f'another way and put it at {path}'
            ) from error
        try:
            if sha256 is None:
                _require_weights(part, address, path)
            _require_hash(part, sha256, f'{address} sent other bytes than were published')
        except CheckpointUnreadable:
            _discard(part)
            raise
        _notes_path(part).unlink(missing_ok=True)
        finish_partial(part, path)
    return path


def _require_kept(path: Path, address: str) -> None:
    """Raise CheckpointUnreadable if a kept download is not a readable file."""
    if not path.is_file():
        what = 'is a folder' if path.is_dir() else 'is no regular file'
    elif not os.access(path, os.R_OK):
        what = 'cannot be read'
    else:
        return
    raise CheckpointUnreadable(
        f'{path}, where {address} is kept, {what}: take it away, or choose another folder of '
        'downloads (REXDENSE_CACHE)'
    )


def _require_weights(file: Path, address: str, path: Path) -> None:
    """Raise CheckpointUnreadable if a download for ``path`` without a known hash is damaged, or is
    not a checkpoint but a server's error page."""
    try:
        if recognise_content(file) == ZIP_PICKLE:
            require_checksums(file)
    except CheckpointUnreadable as error:
        what = str(error).removeprefix(f'{file} ')
        raise CheckpointUnreadable(
            f'what came from {address} {what}; try again later, or fetch it in another way and put '
            f'it at {path}'
        ) from error


def _fetch(address: str, part: Path) -> None:
    """Append the missing bytes to ``part``, and resume after interruptions."""
    for attempt in range(1, TRIES + 1):
        try:
            if _fetch_rest(address, part):
                return
        except urllib.error.HTTPError as error:
            if error.code == 416 and part.exists():
                # Nothing is left to send: the part is complete already, or too long.
                _discard(part)
            elif error.code < 500 or attempt == TRIES:
                raise
        except (OSError, HTTPException) as error:
            if attempt == TRIES or takes_no_more(error):
                raise
        time.sleep(SECONDS_BETWEEN_TRIES * attempt)
    raise OSError(f'the connection was cut {TRIES} times')


def _fetch_rest(address: str, part: Path) -> bool:
    """Append what one connection sends; return whether the file is complete."""
    notes = _read_notes(part, address)
    held = part.stat().st_size if notes else 0
    request = urllib.request.Request(address, headers={'User-Agent': 'rexdense'})
    if notes and held:
        request.add_header('Range', f'bytes={held}-')
        # If the file has changed, the server sends all of it (RFC 9110, 13.1.5).
        request.add_header('If-Range', notes['version'])
    with OPENER.open(request, timeout=SECONDS_WITHOUT_DATA) as answer:
        if 'text/html' in answer.headers.get('Content-Type', ''):
            raise ValueError('a web page came, no file')
        continued = bool(notes) and answer.status == 206
        if continued and notes:
            total = _total_of_rest(answer.headers, held, notes)
            if total is None:
                _discard(part)
                return False
        else:
            held, length = 0, answer.headers.get('Content-Length')
            total = int(length) if length else None
            _discard(part)
            _write_notes(part, address, answer.headers, total)
        with partial_file(part, continued) as file:
            while block := answer.read(BLOCK):
                file.write(block)
                held += len(block)
                _show(part, held, total)
    _show(part, held, total, last=True)
    return total is None or held == total


def _total_of_rest(headers: Any, held: int, notes: dict[str, Any]) -> int | None:
    """Return the size of the whole file; None if the answer does not continue the ``held`` bytes,
    or is of another version."""
    found = _CONTENT_RANGE.fullmatch(headers.get('Content-Range', '').strip())
    if not found:
        return None
    start, end, total = map(int, found.groups())
    length = headers.get('Content-Length')
    same = (
        (start, end) == (held, total - 1)
        and notes['total'] in (None, total)
        and _version(headers) == notes['version']
        and (length is None or int(length) == total - held)
    )
    return total if same else None


def _version(headers: Any) -> str | None:
    """Return the server's name for the version of a file; None if it has none, or only a weak one,
    under which files may differ."""
    tag = headers.get('ETag')
    return tag if tag and not tag.startswith('W/') else headers.get('Last-Modified')


def _notes_path(part: Path) -> Path:
    return part.with_name(f'{part.name}.from')


def _write_notes(part: Path, address: str, headers: Any, total: int | None) -> None:
    """Record the version of the incoming file, if the server tells it."""
    notes = dict(address=address, version=_version(headers), total=total)
    if notes['version']:
        atomic_write(_notes_path(part), json.dumps(notes).encode(), overwrite=True)


def _read_notes(part: Path, address: str) -> dict[str, Any] | None:
    """Return the notes on the existing bytes of this address; None if there are none."""
    try:
        notes = json.loads(_notes_path(part).read_bytes()) if part.exists() else None
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(notes, dict) or notes.get('address') != address:
        return None
    total = notes.get('total')
    known = isinstance(notes.get('version'), str) and (total is None or isinstance(total, int))
    return dict(version=notes['version'], total=total) if known else None


def _discard(part: Path) -> None:
    """Delete the partial download and its notes."""
    part.unlink(missing_ok=True)
    _notes_path(part).unlink(missing_ok=True)


def _show(part: Path, held: int, total: int | None, last: bool = False) -> None:
    if not sys.stderr.isatty():
        return
    share = f'{held / total:4.0%}' if total else ''
    end = '\n' if last else ''
    sys.stderr.write(f'\r{part.stem} {held / 1e6:7.1f} MB {share}{end}')
    sys.stderr.flush()


def _require_hash(path: Path, sha256: str | None, message: str) -> None:
    if sha256 is None:
        return
    try:
        with path.open('rb') as file:
            found = file_digest(file)
    except OSError as error:
        raise CheckpointUnreadable(f'{path} cannot be read ({reason(error)})') from error
    if not found.startswith(sha256.lower()):
        raise CheckpointUnreadable(
            f'{message}: its SHA-256 begins {found[: len(sha256)]}, not {sha256}; delete it and '
            'try again'
        )


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f'status {error.code}'
    return str(getattr(error, 'reason', error)) or type(error).__name__
