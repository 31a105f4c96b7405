"""Zip files are unpacked into their folder alone, whole, and not beyond reason."""

import os
import stat
import struct
import zipfile

import pytest

from rexdense.datasets.formats import zip_files
from rexdense.datasets.formats.zip_files import unpack
from rexdense.errors import DataError, UnwritableFile
from tests.folder_contents import contents


def packed(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, 'w', method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def test_files_and_folders(tmp_path):
    members = [
        ('train/a b.jpg', b'1'),
        ('train\\_annotations.coco.json', b'{}'),
        ('__MACOSX/train/._a b.jpg', b'x'),
        ('.DS_Store', b'x'),
        ('empty/', b''),
    ]
    target = unpack(packed(tmp_path / 'a.zip', members), tmp_path / 'new/out')
    assert contents(target) == {'train/a b.jpg': b'1', 'train/_annotations.coco.json': b'{}'}
    with pytest.raises(UnwritableFile):
        unpack(tmp_path / 'a.zip', target)


def link(name='link'):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ('members', 'expected'),
    [
        ([('../evil', b'x')], "holds '../evil', which leads out of the folder"),
        ([('a/../../evil', b'x')], 'which leads out of the folder'),
        ([('/etc/evil', b'x')], "holds '/etc/evil', which leads out"),
        ([('..\\evil', b'x')], 'which leads out of the folder'),
        ([('C:\\evil', b'x')], 'which leads out of the folder'),
        ([(link(), b'/etc/passwd')], "holds 'link', a link or no file"),
        ([('a.txt', b'1'), ('A.TXT', b'2')], "holds two files called 'A.TXT'"),
        ([], 'holds no files'),
        ([('.hidden', b'x')], 'holds no files'),
        ([('bomb', bytes(70 * 2**20))], 'more than 200 times as many'),
    ],
)
def test_refused_archives_leave_nothing(tmp_path, members, expected):
    good = [] if 'no files' in expected else [('good.txt', b'1')]
    archive = packed(tmp_path / 'a.zip', [*good, *members])
    with pytest.raises(DataError, match=expected) as caught:
        unpack(archive, tmp_path / 'in/out')
    assert '\n' not in str(caught.value)
    assert contents(tmp_path) == {'a.zip': archive.read_bytes()}


def test_a_single_huge_member_and_one_that_does_not_fit(tmp_path, monkeypatch):
    archive = packed(tmp_path / 'a.zip', [('a', bytes(1000))], zipfile.ZIP_STORED)
    monkeypatch.setattr(zip_files, 'MOST_MEMBER', 999)
    with pytest.raises(DataError, match="'a' would have 1000 bytes, more than 999"):
        unpack(archive, tmp_path / 'out')
    monkeypatch.undo()
    monkeypatch.setattr(zip_files.shutil, 'disk_usage', lambda _: type('Usage', (), {'free': 10}))
    with pytest.raises(DataError, match=r'would unpack to 1000 bytes, and \S+ has room for 10'):
        unpack(archive, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_a_size_that_lies_is_not_exceeded(tmp_path):
    """A member that says 10 bytes and holds a million."""
    archive = packed(tmp_path / 'a.zip', [('a', bytes(10**6))])
    content = bytearray(archive.read_bytes())
    for start, place in ((b'PK\3\4', 22), (b'PK\1\2', 24)):
        struct.pack_into('<I', content, content.index(start) + place, 10)
    archive.write_bytes(bytes(content))
    with pytest.raises(DataError, match='is damaged'):
        unpack(archive, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('method', [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods(tmp_path, method):
    archive = packed(tmp_path / 'a.zip', [('a', b'x')], method)
    with pytest.raises(DataError, match='pack it with deflate'):
        unpack(archive, tmp_path / 'out')


@pytest.mark.parametrize('content', [b'', b'no zip', b'PK\3\4' + bytes(40)])
def test_no_zip_file(tmp_path, content):
    (tmp_path / 'a.zip').write_bytes(content)
    with pytest.raises(DataError, match='is no zip file or is damaged'):
        unpack(tmp_path / 'a.zip', tmp_path / 'out')


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'a.zip')
    with pytest.raises(DataError, match=r'a\.zip is a named pipe, no regular file'):
        unpack(tmp_path / 'a.zip', tmp_path / 'out')


@pytest.mark.parametrize(
    ('place', 'value'),
    [
        (b'PK\1\2', b'\xff\xfe'),  # a name that is no UTF-8
        (b'PK\5\6', b'\xff\xff\xff\x7f'),  # a directory that begins before the file
    ],
)
def test_a_directory_of_nonsense(tmp_path, place, value):
    archive = packed(tmp_path / 'a.zip', [('\u00e9.jpg', b'x'), ('b', b'y')])
    content = bytearray(archive.read_bytes())
    start = content.index(place) + (46 if place == b'PK\1\2' else 16)
    content[start : start + len(value)] = value
    archive.write_bytes(bytes(content))
    with pytest.raises(DataError, match='is no zip file or is damaged'):
        unpack(archive, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_damaged_and_encrypted(tmp_path):
    archive = packed(tmp_path / 'a.zip', [('a', bytes(range(256)) * 9)], zipfile.ZIP_STORED)
    content = bytearray(archive.read_bytes())
    content[200] ^= 1
    archive.write_bytes(bytes(content))
    with pytest.raises(DataError, match='is damaged'):
        unpack(archive, tmp_path / 'out')
    content[content.index(b'PK\1\2') + 8] |= 1
    archive.write_bytes(bytes(content))
    with pytest.raises(DataError, match='is encrypted'):
        unpack(archive, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
