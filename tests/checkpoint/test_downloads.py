"""Checkpoints at an address of a local server."""

import email
import errno
import functools
import http.server
import io
import os
import threading
import urllib.request
import urllib.response

import pytest
import torch
from mmengine.runner import CheckpointLoader

import rexdense
from rexdense.checkpoint import download, fetching, install_safe_loader, write_checkpoint
from rexdense.checkpoint.fetching import local_file
from rexdense.errors import CheckpointUnreadable, UnwritableFile
from rexdense.files.destinations import unwritable
from tests.checkpoint.crafted_files import write_crafted

ENDS_SOON = dict(poll_interval=0.01)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve a folder; yield (folder, address). Downloads go to another folder."""
    served, cache = tmp_path / 'served', tmp_path / 'cache'
    served.mkdir()
    monkeypatch.setattr(torch.hub, '_hub_dir', str(cache))
    handler = functools.partial(Quiet, directory=str(served))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as host:
        thread = threading.Thread(target=host.serve_forever, kwargs=ENDS_SOON)
        thread.start()
        yield served, f'http://127.0.0.1:{host.server_port}'
        host.shutdown()
        thread.join()


def kept(folder):
    """Return the files in a folder, without those of locks."""
    return [path for path in folder.rglob('*') if path.is_file() and path.suffix != '.lock']


def test_weights_are_downloaded_once(server):
    folder, address = server
    source = rexdense.create_backbone('rexnet_1.0', out_indices=(0,))
    path = write_checkpoint(folder / 'a.pth', source.state_dict())
    target = rexdense.create_backbone('rexnet_1.0', out_indices=(0,))
    for _ in range(2):
        report = rexdense.load_weights(target, f'{address}/a.pth')
        assert report.checkpoint == f'{address}/a.pth'
        assert torch.equal(target.stem.conv.weight, source.stem.conv.weight)
        path.unlink(missing_ok=True)


def test_a_folder_in_the_place_of_a_file_is_told(server):
    _, address = server
    fetching._cached(f'{address}/a.pth').mkdir(parents=True)
    with pytest.raises(CheckpointUnreadable, match=r'is kept, is a folder: .* \(REXDENSE_CACHE\)'):
        local_file(f'{address}/a.pth')


@pytest.mark.parametrize('place', ['partial_file', 'atomic_write'])
def test_a_full_disk_is_told_at_once(server, monkeypatch, place):
    """The second one writes the notes of a download."""
    folder, address = server
    write_checkpoint(folder / 'a.pth', {'a': torch.ones(2)})
    tries = []

    def full(path, *_, **__):
        tries.append(path)
        error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise error if place == 'partial_file' else unwritable(path, error)

    monkeypatch.setattr(download, place, full)
    with pytest.raises(UnwritableFile, match=r'cannot be written \(No space left.*: make room or'):
        local_file(f'{address}/a.pth')
    assert len(tries) == 1


def test_the_folder_of_downloads_is_that_of_published_weights(server, tmp_path, monkeypatch):
    folder, address = server
    monkeypatch.setenv('REXDENSE_CACHE', str(tmp_path / 'mine'))
    write_checkpoint(folder / 'a.pth', {'a': torch.ones(2)})
    assert local_file(f'{address}/a.pth').parent == tmp_path / 'mine'


def test_files_of_one_name_at_two_addresses_are_two_files(server):
    folder, address = server
    target = rexdense.create_backbone('rexnet_1.0', out_indices=(0,))
    for part in ('first', 'second'):
        source = rexdense.create_backbone('rexnet_1.0', out_indices=(0,))
        (folder / part).mkdir()
        write_checkpoint(folder / part / 'a.pth', source.state_dict())
        rexdense.load_weights(target, f'{address}/{part}/a.pth')
        assert torch.equal(target.stem.conv.weight, source.stem.conv.weight)


def test_an_address_without_a_file_is_refused_and_leaves_nothing(server, tmp_path):
    _, address = server
    with pytest.raises(CheckpointUnreadable, match=r'could not be downloaded .*404'):
        rexdense.load_weights(rexdense.create_backbone('rexnet_1.0'), f'{address}/a.pth')
    assert kept(tmp_path / 'cache') == []


@pytest.mark.parametrize('content', [b'<html>sign in</html>', b'', b'PK\3\4half'])
def test_downloads_that_are_no_checkpoint_are_not_kept(server, tmp_path, content):
    folder, address = server
    (folder / 'a.pth').write_bytes(content)
    backbone = rexdense.create_backbone('rexnet_1.0', out_indices=(0,))
    with pytest.raises(CheckpointUnreadable, match=rf'came from {address}/a.pth is .*put it at'):
        rexdense.load_weights(backbone, f'{address}/a.pth')
    assert kept(tmp_path / 'cache') == []
    write_checkpoint(folder / 'a.pth', backbone.state_dict(), overwrite=True)
    rexdense.load_weights(backbone, f'{address}/a.pth')


def test_a_crafted_download_runs_nothing_in_mmengine(server, tmp_path):
    folder, address = server
    write_crafted('torch zip', folder / 'a.pth', tmp_path / 'written')
    install_safe_loader()
    with pytest.raises(CheckpointUnreadable, match=r'posix\.system'):
        CheckpointLoader.load_checkpoint(f'{address}/a.pth')
    assert not (tmp_path / 'written').exists()


class CutOff(Quiet):
    """Announces more bytes than it sends."""

    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Length', '1000')
        self.end_headers()
        self.wfile.write(b'half')


@pytest.mark.parametrize('name', ['a.pth', '..%2f..%2fa.pth', '..\\..\\a.pth', 'C:a.pth?x=1'])
def test_a_download_that_breaks_off_leaves_no_checkpoint(server, tmp_path, monkeypatch, name):
    monkeypatch.setattr(download, 'SECONDS_BETWEEN_TRIES', 0)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), CutOff) as host:
        thread = threading.Thread(target=host.serve_forever, kwargs=ENDS_SOON)
        thread.start()
        address = f'http://127.0.0.1:{host.server_port}/{name}'
        with pytest.raises(CheckpointUnreadable, match=r'was cut 4 times\): .* fetch it'):
            rexdense.load_weights(rexdense.create_backbone('rexnet_1.0'), address)
        host.shutdown()
        thread.join()
    (left,) = kept(tmp_path)
    assert left.parent == tmp_path / 'cache/checkpoints'
    assert left.suffix == '.part'


def test_a_redirect_from_https_to_http_is_refused(tmp_path, monkeypatch):
    def answer(self, request):
        headers = email.message_from_string('Location: http://127.0.0.1:9/w.pth\n')
        found = urllib.response.addinfourl(io.BytesIO(), headers, request.full_url, 302)
        found.msg = 'Found'
        return found

    monkeypatch.setattr(torch.hub, '_hub_dir', str(tmp_path))
    monkeypatch.setattr(urllib.request.HTTPSHandler, 'https_open', answer)
    with pytest.raises(CheckpointUnreadable, match=r'redirects to http://.*, which is not https'):
        local_file('https://example.org/w.pth')
    assert not list(tmp_path.rglob('*.pth'))
