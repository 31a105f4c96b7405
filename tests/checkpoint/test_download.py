"""Downloads from a local server: complete, slow, cut, wrong, redirected, concurrent."""

import errno
import hashlib
import http.server
import io
import json
import os
import re
import threading
import time
from pathlib import Path

import pytest
import torch

from rexdense.checkpoint import download as module
from rexdense.checkpoint.download import cache_folder, download
from rexdense.checkpoint.published import published_file
from rexdense.errors import CheckpointUnreadable, InvalidArgument
from tests.forked import Forked

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()
DATE = 'Sat, 01 Jan 2022 00:00:00 GMT'


def weights(value):
    """Return a checkpoint; its length does not depend on the value."""
    file = io.BytesIO()
    torch.save({'a': torch.full((4000,), float(value))}, file)
    return file.getvalue()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT with the fault that the path names."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get('Range')))
        times = sum(path == self.path for path, _ in self.server.asked)
        if self.path == '/missing':
            return self.send_error(404)
        if self.path == '/page':
            return self.answer(b'<html>sign in</html>', 'text/html')
        if self.path == '/redirect':
            self.send_response(302)
            self.send_header('Location', '/plain')
            return self.end_headers()
        if self.path == '/busy' and times == 1:
            return self.send_error(503)
        if self.path == '/versions':
            return self.answer_version()
        held = self.headers.get('Range')
        start = int(held.removeprefix('bytes=').rstrip('-')) if held else 0
        if start > len(CONTENT) - 1:
            return self.send_error(416)
        if self.path == '/no-ranges':
            start = 0
        cut = len(CONTENT) // 3 if self.path in ('/cut', '/no-ranges') and times == 1 else None
        if self.path == '/always-cut':
            cut = 10
        return self.answer(CONTENT[start:], 'application/octet-stream', 206 if start else 200, cut)

    def answer_version(self):
        """Serve the server's version of a file, with its settings."""
        server, content = self.server, self.server.content
        held, asked = self.headers.get('Range'), self.headers.get('If-Range')
        start = int(held.removeprefix('bytes=').rstrip('-')) if held else 0
        if server.heeds_if_range and asked not in (None, *server.validators.values()):
            start = 0
        if start >= len(content):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        for name, value in server.validators.items():
            self.send_header(name, value)
        if start and server.content_range:
            said = server.content_range.format(start=start, end=len(content) - 1, all=len(content))
            self.send_header('Content-Range', said)
        self.send_header('Content-Length', str(len(content) - start))
        self.end_headers()
        cut, server.cut = server.cut, None
        self.wfile.write(content[start:cut])

    def answer(self, content, kind, status=200, cut=None):
        self.send_response(status)
        self.send_header('ETag', '"1"')
        if status == 206:
            end = len(CONTENT) - 1
            begin = len(CONTENT) - len(content)
            self.send_header('Content-Range', f'bytes {begin}-{end}/{len(CONTENT)}')
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        if self.path == '/slow':
            for begin in range(0, len(content), 20_000):
                self.wfile.write(content[begin : begin + 20_000])
                self.wfile.flush()
                time.sleep(0.05)
        else:
            self.wfile.write(content[:cut])

    def log_message(self, *_):
        """Keep the terminal clean."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(module, 'SECONDS_BETWEEN_TRIES', 0)
    running = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    running.asked, running.cut = [], None
    running.validators, running.heeds_if_range = {'ETag': '"1"'}, True
    running.content_range = 'bytes {start}-{end}/{all}'
    ends_soon = dict(poll_interval=0.01)
    threading.Thread(target=running.serve_forever, kwargs=ends_soon, daemon=True).start()
    running.address = f'http://127.0.0.1:{running.server_port}'
    yield running
    running.shutdown()
    running.server_close()


@pytest.mark.parametrize('fault', ['plain', 'slow', 'redirect', 'busy', 'cut', 'no-ranges'])
def test_the_file_arrives_whole(server, tmp_path, fault):
    path = download(f'{server.address}/{fault}', tmp_path / 'cache' / 'w.pth', SHA256)
    assert path.read_bytes() == CONTENT
    assert {entry.name for entry in path.parent.iterdir()} == {'w.pth', '.w.pth.lock'}


def test_a_cut_download_goes_on_where_it_stopped(server, tmp_path):
    download(f'{server.address}/cut', tmp_path / 'w.pth', SHA256)
    assert [held for _, held in server.asked] == [None, f'bytes={len(CONTENT) // 3}-']


def test_a_terminal_shows_how_much_has_come(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module.sys.stderr, 'isatty', lambda: True, raising=False)
    monkeypatch.setattr(module, 'BLOCK', len(CONTENT) // 2)
    download(f'{server.address}/plain', tmp_path / 'w.pth', SHA256)
    shown = capsys.readouterr().err
    assert re.findall(r'w\.pth +0\.\d MB +(\d+)%', shown) == ['50', '100', '100']
    assert shown.endswith('\n')


def leave(folder, content, address, total):
    """Leave an unfinished download, like a killed process."""
    (folder / 'w.pth.part').write_bytes(content)
    notes = dict(address=address, version='"1"', total=total)
    (folder / 'w.pth.part.from').write_text(json.dumps(notes))


def test_partial_files_of_earlier_processes_are_continued(server, tmp_path):
    leave(tmp_path, CONTENT[:1000], f'{server.address}/plain', len(CONTENT))
    download(f'{server.address}/plain', tmp_path / 'w.pth', SHA256)
    assert server.asked == [('/plain', 'bytes=1000-')]
    assert {entry.name for entry in tmp_path.iterdir()} == {'w.pth', '.w.pth.lock'}


@pytest.mark.parametrize('more', [b'', b'more'])
def test_too_long_a_remainder_is_begun_anew(server, tmp_path, more):
    leave(tmp_path, b'x' * len(CONTENT) + more, f'{server.address}/plain', len(CONTENT))
    assert download(f'{server.address}/plain', tmp_path / 'w.pth', SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize(
    'settings',
    [
        dict(),
        dict(validators={'Last-Modified': DATE}),
        dict(validators={'ETag': 'W/"1"', 'Last-Modified': DATE}),
    ],
)
def test_a_file_that_stayed_the_same_is_continued_by_any_validator(server, tmp_path, settings):
    vars(server).update(settings, content=weights(1), cut=3000)
    path = download(f'{server.address}/versions', tmp_path / 'w.pth')
    assert path.read_bytes() == server.content
    assert [held for _, held in server.asked] == [None, 'bytes=3000-']


@pytest.mark.parametrize(
    'settings',
    [
        dict(validators={}),
        dict(validators={}, heeds_if_range=False),
        dict(validators={'ETag': 'W/"1"'}),
        dict(validators={'ETag': '"2"'}),
        dict(validators={'ETag': '"2"'}, heeds_if_range=False),
        dict(validators={'Last-Modified': DATE}, heeds_if_range=False),
        dict(content_range=''),
        dict(content_range='bytes 0-{end}/{all}'),
        dict(content_range='bytes {start}-{end}/*'),
        dict(content_range='bytes {start}-{end}/9{all}'),
    ],
)
@pytest.mark.parametrize('held', [3000, None])
def test_two_versions_are_never_mixed(server, tmp_path, settings, held):
    vars(server).update(settings, content=weights(2))
    old, address = weights(1), f'{server.address}/versions'
    assert len(old) == len(server.content)
    # If only the range is odd, the file has not changed, but the download starts again.
    left = old if 'validators' in settings else server.content
    leave(tmp_path, left[:held], address, total=len(old))
    assert download(address, tmp_path / 'w.pth').read_bytes() == server.content


@pytest.mark.parametrize('other', ['address', 'version', 'total'])
def test_notes_on_another_file_are_not_believed(server, tmp_path, other):
    server.content, address = weights(2), f'{server.address}/versions'
    notes = dict(address=address, version='"1"', total=len(server.content))
    notes[other] = {'address': f'{address}2', 'version': None, 'total': 'many'}[other]
    (tmp_path / 'w.pth.part').write_bytes(weights(1)[:3000])
    (tmp_path / 'w.pth.part.from').write_text(json.dumps(notes))
    assert download(address, tmp_path / 'w.pth').read_bytes() == server.content
    assert server.asked == [('/versions', None)]


@pytest.mark.parametrize('content', [b'<html>sign in</html>', weights(1)[:-500], b'', b'text'])
def test_downloads_that_are_no_checkpoint_are_not_kept(server, tmp_path, content):
    server.content = content
    with pytest.raises(CheckpointUnreadable, match=r'put it at .*w\.pth$'):
        download(f'{server.address}/versions', tmp_path / 'w.pth')
    assert [entry.name for entry in tmp_path.iterdir()] == ['.w.pth.lock']


def test_a_file_put_there_by_hand_is_used(server, tmp_path):
    (tmp_path / 'w.pth').write_bytes(CONTENT)
    path = tmp_path / 'w.pth'
    assert download(f'{server.address}/plain', path, SHA256[:8]) == path
    assert server.asked == []


@pytest.mark.parametrize(
    ('fault', 'words'),
    [
        ('missing', ['status 404', 'put it at']),
        ('page', ['a web page came']),
        ('always-cut', ['put it at']),
    ],
)
def test_failed_downloads_name_the_place_for_the_file(server, tmp_path, fault, words):
    with pytest.raises(CheckpointUnreadable) as caught:
        download(f'{server.address}/{fault}', tmp_path / 'w.pth', SHA256)
    assert all(word in str(caught.value) for word in words)
    assert not (tmp_path / 'w.pth').exists()


def test_other_bytes_than_published_are_refused_and_removed(server, tmp_path):
    with pytest.raises(CheckpointUnreadable, match='SHA-256'):
        download(f'{server.address}/plain', tmp_path / 'w.pth', 'f' * 8)
    assert [entry.name for entry in tmp_path.iterdir()] == ['.w.pth.lock']


def test_a_wrong_file_put_there_by_hand_is_told_and_kept(server, tmp_path):
    (tmp_path / 'w.pth').write_bytes(b'else')
    with pytest.raises(CheckpointUnreadable, match='is not the file'):
        download(f'{server.address}/plain', tmp_path / 'w.pth', SHA256)
    assert (tmp_path / 'w.pth').read_bytes() == b'else'


@pytest.mark.parametrize('make', [Path.mkdir, os.mkfifo])
@pytest.mark.parametrize('sha256', [SHA256, None])
def test_folders_and_pipes_in_the_place_of_a_file_are_refused(server, tmp_path, make, sha256):
    make(tmp_path / 'w.pth')
    with pytest.raises(CheckpointUnreadable, match=r'where .* is kept, is .*: take it away'):
        download(f'{server.address}/plain', tmp_path / 'w.pth', sha256)
    assert server.asked == []


def test_a_folder_in_the_place_of_a_file_from_google_drive_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv('REXDENSE_CACHE', str(tmp_path))
    (tmp_path / 'rexnet_1.0.clovaai.in1k.pth').mkdir()
    with pytest.raises(CheckpointUnreadable, match=r'is kept, is a folder: .*REXDENSE_CACHE'):
        published_file('rexnet_1.0:clovaai')


def test_without_a_network_the_place_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(module, 'SECONDS_BETWEEN_TRIES', 0)
    with pytest.raises(CheckpointUnreadable, match=r'put it at .*w\.pth'):
        download('http://127.0.0.1:9/w.pth', tmp_path / 'w.pth')


def test_two_processes_at_once_download_once(server, tmp_path):
    path = tmp_path / 'w.pth'
    processes = [Forked(download, f'{server.address}/slow', path, SHA256) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert path.read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_redirect_from_https_to_http_is_refused():
    request = module.urllib.request.Request('https://example.org/w.pth')
    with pytest.raises(ValueError, match='not https'):
        module._NoDowngrade().redirect_request(
            request, None, 302, 'Found', {}, 'http://example.org/w.pth'
        )


def test_the_cache_is_chosen_by_argument_then_variable_then_torch(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.delenv('REXDENSE_CACHE', raising=False)
    assert cache_folder() == tmp_path / 'torch' / 'hub' / 'checkpoints'
    monkeypatch.setenv('REXDENSE_CACHE', str(tmp_path / 'mine'))
    assert cache_folder() == tmp_path / 'mine'


@pytest.mark.parametrize('name', ['rexnet_1.0:clovaai', 'regnetx_200mf:pycls'])
@pytest.mark.parametrize('place', ['/proc/nope', 'file', 'file/below', 'x' * 300])
def test_a_cache_that_cannot_be_is_told_in_one_line(name, place, tmp_path, monkeypatch):
    (tmp_path / 'file').write_text('mine')
    monkeypatch.setenv('REXDENSE_CACHE', str(tmp_path / place))
    with pytest.raises(InvalidArgument, match=r'REXDENSE_CACHE\) .* cannot be written .*; choose'):
        published_file(name)
    assert (tmp_path / 'file').read_text() == 'mine'


def test_a_cache_that_may_be_read_alone_is_used(tmp_path, monkeypatch):
    path = tmp_path / 'weights.pth'
    path.write_bytes(CONTENT)

    def refuse(*_):
        raise OSError(errno.EROFS, 'Read-only file system')

    monkeypatch.setattr('rexdense.files.writing.os.open', refuse)
    assert download('http://127.0.0.1:9/weights.pth', path) == path
