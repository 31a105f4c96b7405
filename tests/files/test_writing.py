"""Files are written completely or not at all, and existing files are not lost."""

import errno
import fcntl
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rexdense.errors import InvalidArgument, UnwritableFile
from rexdense.files.destinations import check_destination, refuse_inputs
from rexdense.files.locks import held_alone, one_at_a_time
from rexdense.files.writing import (
    atomic_write,
    files_written_aside,
    folder_written_aside,
    partial_file,
    path_written_aside,
)
from tests.folder_contents import contents

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def mounted(tmp_path):
    """Mount a file system of 256 kB; yield its folder and a function that makes it read-only."""
    folder = tmp_path / 'mounted'
    folder.mkdir()

    def mount(options):
        command = ['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip('file systems cannot be mounted here')

    mount('size=256k,nr_inodes=40')
    yield folder, lambda: mount('remount,ro,size=256k')
    subprocess.run(['umount', str(folder)], check=True)


def test_a_new_file_has_the_permissions_of_any_other(tmp_path):
    (tmp_path / 'plain').write_bytes(b'')
    assert atomic_write(tmp_path / 'a', b'new') == tmp_path / 'a'
    assert (tmp_path / 'a').stat().st_mode == (tmp_path / 'plain').stat().st_mode
    assert contents(tmp_path) == {'a': b'new', 'plain': b''}


@pytest.mark.parametrize('target', ['theirs', 'nowhere'])
def test_a_link_that_is_replaced(tmp_path, target):
    """What it points to stays."""
    (tmp_path / 'theirs').write_bytes(b'theirs')
    (tmp_path / 'a').symlink_to(target)
    with (
        pytest.raises(UnwritableFile, match='a exists'),
        path_written_aside(tmp_path / 'a', keep_link=False),
    ):
        pass
    with path_written_aside(tmp_path / 'a', overwrite=True, keep_link=False) as aside:
        aside.write_bytes(b'ours')
    assert not (tmp_path / 'a').is_symlink()
    assert contents(tmp_path) == {'a': b'ours', 'theirs': b'theirs'}


@pytest.mark.parametrize('mode', [0o600, 0o640, 0o755])
def test_a_replaced_file_keeps_its_permissions(tmp_path, mode):
    (tmp_path / 'a').write_bytes(b'old')
    (tmp_path / 'a').chmod(mode)
    atomic_write(tmp_path / 'a', lambda file: file.write(b'new'), overwrite=True)
    assert (tmp_path / 'a').stat().st_mode & 0o7777 == mode
    assert contents(tmp_path) == {'a': b'new'}


def test_what_is_there_stays_unless_it_may_be_replaced(tmp_path):
    (tmp_path / 'a').write_bytes(b'old')
    with pytest.raises(UnwritableFile, match='a exists: choose another name, or pass --overwrite'):
        atomic_write(tmp_path / 'a', b'new')
    assert contents(tmp_path) == {'a': b'old'}


@pytest.mark.parametrize('overwrite', [True, False])
def test_a_folder_that_cannot_be_synced(tmp_path, monkeypatch, overwrite):
    """The new file remains if it has replaced an old one; otherwise nothing is left."""
    path = tmp_path / 'a'
    if overwrite:
        path.write_bytes(b'before')
    sync = os.fsync

    def refuse_folders(descriptor):
        if os.path.isdir(f'/proc/self/fd/{descriptor}'):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(os, 'fsync', refuse_folders)
    with pytest.raises(UnwritableFile, match='No space left'):
        atomic_write(path, b'after', overwrite=overwrite)
    assert contents(tmp_path) == ({'a': b'after'} if overwrite else {})


def test_what_is_written_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    synced, sync = [], os.fsync

    def noted(descriptor):
        place = Path(os.readlink(f'/proc/self/fd/{descriptor}'))
        is_folder = place.is_dir()
        synced.append((is_folder, is_folder or place.stat().st_size, (tmp_path / 'a').exists()))
        sync(descriptor)

    monkeypatch.setattr(os, 'fsync', noted)
    atomic_write(tmp_path / 'a', b'whole')
    assert synced[0] == (False, 5, False) and synced[-1] == (True, True, True)
    del synced[:]
    with partial_file(tmp_path / 'part', False) as file:
        file.write(b'some')
    assert synced == [(False, 4, True)]


def test_what_comes_to_be_there_meanwhile_stays_too(tmp_path):
    def write(file):
        file.write(b'ours')
        (tmp_path / 'a').write_bytes(b'theirs')

    with pytest.raises(UnwritableFile, match='a exists'):
        atomic_write(tmp_path / 'a', write)
    assert contents(tmp_path) == {'a': b'theirs'}


@pytest.mark.parametrize('error', [RuntimeError('a bug'), KeyboardInterrupt(), OSError(2, 'gone')])
def test_another_error_passes_as_it_is(tmp_path, error):
    (tmp_path / 'a').write_bytes(b'old')

    def fail(file):
        file.write(b'half')
        raise error

    with pytest.raises(type(error)) as caught:
        atomic_write(tmp_path / 'a', fail, overwrite=True)
    assert caught.value is error
    assert contents(tmp_path) == {'a': b'old'}


@pytest.mark.parametrize('size', [5_000, 400_000])
def test_a_full_disk(mounted, size):
    """The first write fails, or the last flush."""
    folder, _ = mounted
    (folder / 'a').write_bytes(b'old')
    (folder / 'filling').write_bytes(bytes(252 * 1024 - 4096))
    for content in (bytes(size), lambda file: file.write(bytes(size))):
        with pytest.raises(
            UnwritableFile, match=r'a cannot be written \(No space left on device\): make room'
        ):
            atomic_write(folder / 'a', content, overwrite=True)
    assert sorted(path.name for path in folder.iterdir()) == ['a', 'filling']
    assert (folder / 'a').read_bytes() == b'old'


def test_a_hidden_file_may_keep_the_ending(tmp_path):
    with path_written_aside(tmp_path / 'clip.mp4', keep_ending=True) as aside:
        assert aside.name.startswith('.clip.mp4.') and aside.name.endswith('.part.mp4')
        aside.write_bytes(b'whole')
    assert contents(tmp_path) == {'clip.mp4': b'whole'}


def test_a_full_disk_that_a_writer_tells_otherwise(mounted):
    folder, _ = mounted

    def write(file):
        try:
            file.write(bytes(400_000))
        except OSError:
            raise RuntimeError('the archive writer failed') from None

    with pytest.raises(UnwritableFile, match=r'No space left on device\): make room'):
        atomic_write(folder / 'a', write)
    with (
        pytest.raises(UnwritableFile, match=r'No space left on device\): make room'),
        path_written_aside(folder / 'a') as aside,
    ):
        aside.write_bytes(bytes(400_000))
    assert contents(folder) == {}


def test_a_folder_that_is_read_only(mounted):
    folder, make_read_only = mounted
    (folder / 'a').write_bytes(b'old')
    make_read_only()
    with pytest.raises(UnwritableFile, match=r'Read-only file system\): choose a folder'):
        atomic_write(folder / 'a', b'new', overwrite=True)
    assert contents(folder) == {'a': b'old'}


def test_a_limit_of_the_size_is_not_a_full_disk(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(
            UnwritableFile, match=r'\(File too large\): files there may not'
        ) as told:
            atomic_write(tmp_path / 'a', bytes(30_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert 'room' not in str(told.value) and contents(tmp_path) == {}


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('folder', 'folder is a folder: give the name of a file'),
        ('absent/a', 'absent/a cannot be written: make the folder .*absent first'),
        ('file/a', 'file/a cannot be written'),
        ('pipe', 'pipe is a device or pipe'),
        ('dangling', 'dangling is a link to nowhere, which is not there'),
        ('loop', 'loop is a link to loop, which is not there'),
        ('x' * 300, r'\(File name too long\): give it a shorter name'),
        ('a\0b', r'a\\0b cannot be written \(a NUL in its name\)'),
        ('\ud800', r'cannot be written'),
    ],
)
@pytest.mark.parametrize('overwrite', [False, True])
def test_places_that_cannot_be(tmp_path, name, expected, overwrite):
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'file').write_bytes(b'')
    os.mkfifo(tmp_path / 'pipe')
    (tmp_path / 'dangling').symlink_to('nowhere')
    (tmp_path / 'loop').symlink_to('loop')
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(UnwritableFile, match=expected) as told:
        atomic_write(tmp_path / name, b'new', overwrite)
    assert '\n' not in str(told.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_device_is_never_replaced():
    with pytest.raises(UnwritableFile, match='/dev/null is a device'):
        atomic_write('/dev/null', b'new', overwrite=True)


def test_a_folder_is_made_where_that_is_wanted(tmp_path):
    atomic_write(tmp_path / 'x/y/a', b'new', make_folder=True)
    with pytest.raises(UnwritableFile, match=r'a/b cannot be written \(Not a directory\)'):
        atomic_write(tmp_path / 'x/y/a/b', b'new', make_folder=True)
    assert contents(tmp_path) == {'x/y/a': b'new'}


def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / 'real').mkdir()
    (tmp_path / 'real/a').write_bytes(b'old')
    (tmp_path / 'link').symlink_to('real/a')
    with pytest.raises(UnwritableFile, match='link exists'):
        atomic_write(tmp_path / 'link', b'new')
    atomic_write(tmp_path / 'link', b'new', overwrite=True)
    assert (tmp_path / 'link').is_symlink() and (tmp_path / 'real/a').read_bytes() == b'new'


def test_the_longest_names_can_be_written(tmp_path):
    for name in ('x' * 240, 'é' * 120):
        atomic_write(tmp_path / name, b'new')
    assert len(contents(tmp_path)) == 2


KILLED = """
import os, signal, sys
from rexdense.files.writing import files_written_aside
with files_written_aside(*sys.argv[1:], overwrite=True) as files:
    for file in files:
        file.write(b'half')
        file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_program_killed_on_the_way(tmp_path):
    for name in ('a', 'b'):
        (tmp_path / name).write_bytes(b'old')
    command = [sys.executable, '-c', KILLED, str(tmp_path / 'a'), str(tmp_path / 'b')]
    done = subprocess.run(command, cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    left = contents(tmp_path)
    assert (left.pop('a'), left.pop('b')) == (b'old', b'old')
    assert len(left) == 2
    for name, content in left.items():
        assert name.startswith(('.a.', '.b.')) and name.endswith('.part') and content == b'half'


class TestPairs:
    def test_both_are_replaced(self, tmp_path):
        for name in ('a', 'b'):
            (tmp_path / name).write_bytes(b'old')
        paths = tmp_path / 'a', tmp_path / 'b'
        with files_written_aside(*paths, overwrite=True) as files:
            for number, file in enumerate(files):
                file.write(b'%d' % number)
                file.seek(0)
                assert file.read() == b'%d' % number
        assert contents(tmp_path) == {'a': b'0', 'b': b'1'}

    @pytest.mark.parametrize('there', [(), ('a',), ('a', 'b')])
    @pytest.mark.parametrize('overwrite', [False, True])
    @pytest.mark.parametrize('failing', ['a', 'b'])
    def test_one_that_cannot_be_renamed(self, tmp_path, there, overwrite, failing):
        """A folder with a file has appeared in the place of one."""
        if there and not overwrite:
            pytest.skip('told before anything is written')
        for name in there:
            (tmp_path / name).write_bytes(b'old')
        before = {name: b'old' for name in there if name != failing}
        with (
            pytest.raises(UnwritableFile, match=rf'{failing} '),
            files_written_aside(tmp_path / 'a', tmp_path / 'b', overwrite=overwrite) as files,
        ):
            for file in files:
                file.write(b'new')
            (tmp_path / failing).unlink(missing_ok=True)
            (tmp_path / failing).mkdir()
            (tmp_path / failing / 'mine').write_bytes(b'mine')
        assert contents(tmp_path) == {**before, f'{failing}/mine': b'mine'}

    def test_one_that_is_immutable(self, tmp_path):
        """The file system allows neither linking nor replacing the second one."""
        for name in ('a', 'b'):
            (tmp_path / name).write_bytes(b'old ' + name.encode())
        if shutil.which('chattr') is None:
            pytest.skip('there is no chattr')
        command = ['chattr', '+i', str(tmp_path / 'b')]
        try:
            with (
                pytest.raises(UnwritableFile, match=r'b cannot be written \(Operation not perm'),
                files_written_aside(tmp_path / 'a', tmp_path / 'b', overwrite=True) as files,
            ):
                for file in files:
                    file.write(b'new')
                if subprocess.run(command, capture_output=True, check=False).returncode:
                    pytest.skip('files cannot be made immutable here')
            assert contents(tmp_path) == {'a': b'old a', 'b': b'old b'}
        finally:
            subprocess.run(['chattr', '-i', str(tmp_path / 'b')], check=False)

    def test_one_that_does_not_fit(self, mounted):
        folder, _ = mounted
        for name in ('a', 'b'):
            (folder / name).write_bytes(b'old')
        with (
            pytest.raises(UnwritableFile, match=r'b cannot be written .*: make room'),
            files_written_aside(folder / 'a', folder / 'b', overwrite=True) as files,
        ):
            files[0].write(b'new')
            files[1].write(bytes(400_000))
        assert contents(folder) == {'a': b'old', 'b': b'old'}

    @pytest.mark.parametrize('refused', [errno.EPERM, errno.EOPNOTSUPP])
    def test_file_systems_without_hard_links(self, tmp_path, monkeypatch, refused):
        def no_links(*_):
            raise OSError(refused, os.strerror(refused))

        monkeypatch.setattr(os, 'link', no_links)
        (tmp_path / 'a').write_bytes(b'old')
        with (
            pytest.raises(UnwritableFile, match='b '),
            files_written_aside(tmp_path / 'a', tmp_path / 'b', overwrite=True),
        ):
            (tmp_path / 'b').mkdir()
        (tmp_path / 'b').rmdir()
        assert contents(tmp_path) == {'a': b'old'}
        atomic_write(tmp_path / 'b', b'new')
        with pytest.raises(UnwritableFile, match='b exists'):
            atomic_write(tmp_path / 'b', b'newer')
        assert contents(tmp_path) == {'a': b'old', 'b': b'new'}

    def test_one_name_for_both(self, tmp_path):
        with (
            pytest.raises(UnwritableFile, match='would be written twice'),
            files_written_aside(tmp_path / 'a', tmp_path / '../' / tmp_path.name / 'a'),
        ):
            pass


class TestInputs:
    @pytest.fixture
    def read(self, tmp_path):
        (tmp_path / 'folder').mkdir()
        path = tmp_path / 'folder/a.jpg'
        path.write_bytes(b'precious')
        return path

    def names(self, read, kind):
        other = read.parent.parent / 'other.jpg'
        if kind == 'link':
            other.symlink_to(read)
        elif kind == 'hard link':
            os.link(read, other)
        elif kind == 'link to the folder':
            (read.parent.parent / 'linked').symlink_to('folder')
            return read.parent.parent / 'linked/a.jpg'
        elif kind == 'dots':
            return read.parent / '../folder/./a.jpg'
        elif kind == 'relative':
            return Path(os.path.relpath(read))
        else:
            return read
        return other

    @pytest.mark.parametrize(
        'kind', ['itself', 'relative', 'dots', 'link', 'hard link', 'link to the folder']
    )
    def test_are_never_replaced(self, read, kind):
        output = self.names(read, kind)
        for one, other in ((output, read), (read, output)):
            with pytest.raises(InvalidArgument, match=r'is read.* by this command and would be'):
                check_destination(one, overwrite=True, inputs=[other])
            with pytest.raises(InvalidArgument, match=r'is read.* by this command and would be'):
                refuse_inputs(['unrelated', one], [other])
        assert read.read_bytes() == b'precious'

    def test_others_may_be(self, read, tmp_path):
        (tmp_path / 'b').write_bytes(b'old')
        assert check_destination(tmp_path / 'b', True, [read, tmp_path / 'absent']).name == 'b'
        refuse_inputs([tmp_path / 'b', tmp_path / 'c'], [read])


class TestFolders:
    def test_appear_whole(self, tmp_path):
        with folder_written_aside(tmp_path / 'x/set') as write:
            write('a/b.txt', b'1')
            write('c.txt', b'2')
            assert not (tmp_path / 'x/set').exists()
        assert contents(tmp_path) == {'x/set/a/b.txt': b'1', 'x/set/c.txt': b'2'}

    def test_vanish_on_failure(self, tmp_path):
        with pytest.raises(KeyError), folder_written_aside(tmp_path / 'set') as write:
            write('a', b'1')
            raise KeyError
        assert not list(tmp_path.iterdir())

    def test_replace_nothing(self, tmp_path):
        atomic_write(tmp_path / 'set/mine', b'mine', make_folder=True)
        with (
            pytest.raises(UnwritableFile, match=r'set cannot be written \(Directory not empty\)'),
            folder_written_aside(tmp_path / 'set') as write,
        ):
            write('a', b'1')
        assert contents(tmp_path) == {'set/mine': b'mine'}

    def test_on_a_full_disk(self, mounted):
        folder, _ = mounted
        with (
            pytest.raises(UnwritableFile, match=r'set/a cannot be written .*: make room'),
            folder_written_aside(folder / 'set') as write,
        ):
            write('a', bytes(400_000))
        assert not list(folder.iterdir())


HOLDER = """
import os, sys, time
from pathlib import Path
from rexdense.files.locks import held_alone
with held_alone(Path(sys.argv[1]), 'process 1 of one') as other:
    assert other is None
    if os.fork() == 0:
        # A child that outlives the process, as loader processes do for a while.
        time.sleep(3)
        os._exit(0)
    print('held', flush=True)
    time.sleep(60)
"""


def test_a_lock_is_held_by_a_living_process_alone(tmp_path):
    path = tmp_path / '.lock'
    command = [sys.executable, '-c', HOLDER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == 'held\n'
        with held_alone(path, 'mine') as other:
            assert other == 'process 1 of one'
        process.kill()
        process.wait()
        with held_alone(path, 'mine') as other:
            assert other is None and path.read_text() == 'mine'
    assert not path.exists()


def test_a_link_in_the_place_of_a_lock(tmp_path):
    """Its file is somebody's."""
    (tmp_path / 'theirs').write_text('theirs')
    (tmp_path / '.w.pth.lock').symlink_to('theirs')
    for lock in (
        held_alone(tmp_path / '.w.pth.lock', 'mine'),
        one_at_a_time(tmp_path / 'w.pth'),
    ):
        with pytest.raises(UnwritableFile, match='symbolic links'), lock:
            pass
    assert (tmp_path / 'theirs').read_text() == 'theirs'


def test_a_lock_that_somebody_has_deleted_takes_no_other_with_it(tmp_path):
    path = tmp_path / '.lock'
    first, second = held_alone(path, 'first'), held_alone(path, 'second')
    first.__enter__()
    path.unlink()
    second.__enter__()
    first.__exit__(None, None, None)
    assert path.read_text() == 'second'
    second.__exit__(None, None, None)
    assert not path.exists()


@pytest.mark.parametrize('number', [errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK])
def test_a_file_system_without_locks_is_not_guarded(tmp_path, monkeypatch, number):
    """For example Lustre, if it was mounted without locks."""

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    for name in ('flock', 'lockf'):
        monkeypatch.setattr(fcntl, name, refuse)
    with one_at_a_time(tmp_path / 'w.pth'), held_alone(tmp_path / '.lock', 'mine') as other:
        assert other is None


def test_a_lock_for_which_there_is_no_room(mounted):
    folder, _ = mounted
    with pytest.raises(OSError, match='No space left'):
        for number in range(100):
            (folder / str(number)).touch()
    with (
        pytest.raises(UnwritableFile, match=r'No space left on device\): make room'),
        one_at_a_time(folder / 'w.pth'),
    ):
        pass
