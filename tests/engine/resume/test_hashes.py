"""The list of the SHA-256 of a run's checkpoints, by which a damaged or replaced one is known."""

import errno
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip('mmengine')

import torch

from rexdense.engine.resume import hashes
from rexdense.engine.resume.checkpoints import checkpoints_of_runs, find_checkpoint, run_meta
from rexdense.engine.resume.hashes import HASHES, list_hash, tidy_hashes
from rexdense.errors import CheckpointUnreadable
from tests.engine.resume.toy_run import Killed, run, toy_config


def write(path, number=1):
    torch.save(dict(meta=dict(epoch=number, iter=number, seed=0), state_dict={}), path)


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def listed(folder):
    return [tuple(line.split('  ')) for line in (folder / HASHES).read_text().splitlines()]


@pytest.mark.parametrize('by_epoch', [True, False])
def test_a_run_lists_what_it_leaves(tmp_path, by_epoch):
    run(toy_config(tmp_path, by_epoch))
    left = checkpoints_of_runs(tmp_path)
    assert len(left) == 3 and {path.name.partition('_')[0] for path in left} > {'best'}
    assert sorted(listed(tmp_path)) == sorted((digest(path), path.name) for path in left)
    if tool := shutil.which('sha256sum'):
        subprocess.run([tool, '-c', '--strict', HASHES], cwd=tmp_path, check=True)


def test_a_folder_by_two_names(tmp_path):
    """A relative path in the hook, and one by a link for the run."""
    (tmp_path / 'link').symlink_to('.')
    config = toy_config(tmp_path / 'link/run')
    config.default_hooks.checkpoint.out_dir = os.path.relpath(tmp_path)
    for _ in range(2):
        run(config)
        left = checkpoints_of_runs(tmp_path / 'run')
        assert {name for _, name in listed(tmp_path / 'run')} == {path.name for path in left}
        assert find_checkpoint(tmp_path / 'run')[1] == []


@pytest.mark.parametrize('at', range(2, 30, 3))
def test_a_killed_run_lists_what_it_leaves(tmp_path, at):
    with pytest.raises(Killed):
        run(toy_config(tmp_path, at=at))
    for path in checkpoints_of_runs(tmp_path):
        assert (digest(path), path.name) in listed(tmp_path)


def test_a_checkpoint_of_another_run_is_not_gone_on_with(tmp_path):
    for name, number in (('epoch_1.pth', 1), ('epoch_2.pth', 2)):
        write(tmp_path / 'new', number)
        list_hash(tmp_path, name, tmp_path / 'new')
        (tmp_path / 'new').rename(tmp_path / name)
    assert find_checkpoint(tmp_path)[0].path.name == 'epoch_2.pth'
    write(tmp_path / 'epoch_2.pth', 22)
    with pytest.raises(CheckpointUnreadable, match=r'epoch_2\.pth is not the file that its run'):
        run_meta(tmp_path / 'epoch_2.pth')
    found, faults = find_checkpoint(tmp_path)
    assert found.path.name == 'epoch_1.pth'
    assert len(faults) == 1 and f'by its SHA-256 in {HASHES}: copy it again, or' in faults[0]
    (tmp_path / HASHES).write_text('\0no hash\n' + (tmp_path / HASHES).read_text().splitlines()[0])
    assert find_checkpoint(tmp_path)[0].path.name == 'epoch_2.pth'


@pytest.mark.parametrize('is_renamed', [True, False])
def test_a_kill_between_the_hash_and_the_name(tmp_path, is_renamed):
    place, hidden = tmp_path / 'epoch_1.pth', tmp_path / 'hidden'
    write(place, 1)
    list_hash(tmp_path, place.name, place)
    write(hidden, 2)
    list_hash(tmp_path, place.name, hidden)
    list_hash(tmp_path, 'epoch_0.pth', hidden)
    if is_renamed:
        hidden.rename(place)
    assert len(listed(tmp_path)) == 3 and run_meta(place)['iter'] == 1 + is_renamed
    tidy_hashes(tmp_path)
    assert listed(tmp_path) == [(digest(place), place.name)]
    assert run_meta(place)['iter'] == 1 + is_renamed


def test_a_disk_that_cannot_be_read(tmp_path, monkeypatch):
    for number in (1, 2):
        place = tmp_path / f'epoch_{number}.pth'
        write(place, number)
        list_hash(tmp_path, place.name, place)
    digest = hashes.file_digest

    def fail(file):
        if file.name.endswith('epoch_2.pth'):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return digest(file)

    monkeypatch.setattr(hashes, 'file_digest', fail)
    found, (fault,) = find_checkpoint(tmp_path)
    assert found.path.name == 'epoch_1.pth'
    assert fault.startswith(f'{place} cannot be read (Input/output error): check its')


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='no pipes on Windows')
def test_a_pipe_is_no_list(tmp_path):
    """Opening it would wait for a writer."""
    write(tmp_path / 'epoch_1.pth')
    os.mkfifo(tmp_path / HASHES)
    assert find_checkpoint(tmp_path)[0].path.name == 'epoch_1.pth'


def test_what_fits_no_hash_stays_listed(tmp_path):
    """A damage must not be forgotten."""
    place = tmp_path / 'epoch_1.pth'
    for number in (1, 2):
        write(place, number)
        list_hash(tmp_path, place.name, place)
    write(place, 3)
    tidy_hashes(tmp_path)
    with pytest.raises(CheckpointUnreadable, match='is not the file'):
        run_meta(place)
