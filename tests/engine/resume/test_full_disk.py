"""A run waits for a full disk where that was asked for, and loses nothing."""

import errno
import threading

import pytest

pytest.importorskip('mmengine')

from benchmarks.kills import differences
from rexdense.engine.resume.checkpoints import newest_checkpoint
from rexdense.engine.resume.full_disk import DiskWait
from rexdense.errors import InvalidArgument, UnwritableFile
from tests.engine.resume.toy_run import KillAt, fill, last, run, toy_config


@pytest.fixture
def full_at(small_disk, monkeypatch):
    """Return the config of a run that finds its disk full at one of its events."""
    monkeypatch.setattr(DiskWait, 'pause', 0.02)

    def config(at, minutes, seconds=None):
        filling = small_disk / 'filling'

        def act():
            fill(filling)
            if seconds is not None:
                threading.Timer(seconds, filling.unlink).start()

        monkeypatch.setattr(KillAt, 'call', act)
        result = toy_config(small_disk / 'run', at=at, how='call')
        result.default_hooks.checkpoint.wait_for_disk = minutes
        # The log as well.
        result.log_level = 'INFO'
        return result

    return config


@pytest.mark.parametrize('share', [0.1, 0.55])
def test_a_run_waits_for_room(undisturbed, full_at, small_disk, share, capfd):
    whole, events = undisturbed('epochs')
    run(full_at(int(share * events), minutes=1, seconds=0.5))
    run_dir = small_disk / 'run'
    assert differences(whole / last(whole), run_dir / last(whole)) == []
    said, errors = capfd.readouterr()
    assert 'no space left; the run waits for up to 1 minutes: make room, or end it with' in said
    assert 'written after 0.0 minutes' in said and 'Traceback' not in errors
    (log,) = run_dir.glob('*/*.log')
    lines = log.read_text().splitlines()
    assert len([line for line in lines if 'Epoch(train)' in line]) == 16


def test_a_run_ends_after_its_wait(undisturbed, full_at, small_disk):
    _, events = undisturbed('epochs')
    with pytest.raises(UnwritableFile, match=r'No space left on device\): make room'):
        run(full_at(events // 2, minutes=0.002))
    assert newest_checkpoint(small_disk / 'run').is_file()


@pytest.mark.parametrize(
    ('number', 'stopped', 'tries'),
    [
        (errno.ENOSPC, False, 3),
        (errno.EDQUOT, False, 3),
        (errno.EROFS, False, 1),
        (errno.ENOSPC, True, 1),
    ],
)
def test_what_is_waited_for(number, stopped, tries):
    """What a disk without room refuses, unless the run is asked to stop."""
    disk, tried = DiskWait(lambda: stopped), []
    disk.seconds, disk.pause = 60, 0

    def write():
        tried.append(1)
        if len(tried) < 3:
            raise UnwritableFile('a file') from OSError(number, 'refused')
        return 'written'

    if tries < 3:
        with pytest.raises(UnwritableFile):
            disk.write(write, 'folder')
    else:
        assert disk.write(write, 'folder') == 'written'
    assert len(tried) == tries


@pytest.mark.parametrize('value', ['60min', -1, True, float('nan'), None])
def test_a_wait_that_is_none(value, tmp_path):
    config = toy_config(tmp_path)
    config.default_hooks.checkpoint.wait_for_disk = value
    with pytest.raises(InvalidArgument, match=r'^wait_for_disk=.*: give minutes'):
        run(config)
