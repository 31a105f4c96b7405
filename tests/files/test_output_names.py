"""Names of output files: inside their folder, and different for different inputs."""

import itertools
import os
import unicodedata
from pathlib import Path, PurePath, PurePosixPath

import pytest

from rexdense.errors import InvalidArgument
from rexdense.files.hidden_files import LONGEST_NAME
from rexdense.files.output_names import output_names, output_path, output_paths, safe_name
from rexdense.files.writing import atomic_write

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, 'é.jpg') for form in ('NFC', 'NFD'))
PNG = [lambda name: PurePath(name).stem + '.png', lambda name: name + '.png']
HOSTILE = [
    '../b.jpg',
    '../../b.jpg',
    '/b.jpg',
    '/etc/passwd',
    'x/../../b.jpg',
    './../data/../b.jpg',
    '..',
    '.',
    '~root/b.jpg',
    '..\\..\\b.jpg',
    'C:\\b.jpg',
    'C:b.jpg',
    '//server/share/b.jpg',
    'a\nb.jpg',
    'a\0b.jpg',
    'x' * 300 + '.jpg',
    'é' * 200 + '.jpg',
    'd' * 300 + '/b.jpg',
    '\ud800.jpg',
    '\udcff.jpg',
    ' ',
    '-rf',
    '.part',
]


def key(name):
    """Return a name as the least discriminating file system sees it."""
    return unicodedata.normalize('NFD', unicodedata.normalize('NFD', name).casefold())


def assert_apart(names, inputs):
    assert set(names) == set(map(str, inputs))
    found = list(map(key, names.values()))
    assert len(set(found)) == len(found)
    folders = {str(parent) for name in found for parent in PurePosixPath(name).parents}
    assert not folders & set(found)
    for name in names.values():
        assert not PurePosixPath(name).is_absolute() and '..' not in PurePosixPath(name).parts
        assert all(0 < len(os.fsencode(part)) <= LONGEST_NAME for part in name.split('/'))


@pytest.mark.parametrize('renames', [[str], PNG])
@pytest.mark.parametrize(
    'inputs',
    [
        ['/p/x.jpg', '/q/x.jpg'],
        ['/p/a.jpg', '/p/a.png'],
        ['/p/a.jpg', '/p/a.png', '/p/a.jpg.png', '/p/a.png.png'],
        ['/p/A.jpg', '/p/a.jpg', '/p/a.JPG'],
        ['/p/A/x.jpg', '/p/a/x.jpg', '/p/a/X.jpg'],
        [f'/p/{COMPOSED}', f'/p/{DECOMPOSED}'],
        ['/p/straße.jpg', '/p/STRASSE.jpg'],
        ['/p/a', '/p/a.png/b'],
        ['/p/a.jpg', '/p/a.png/b.jpg', '/p/a.jpg.png/c.jpg'],
        ['/p/' + 'x' * 260 + 'a.jpg', '/p/' + 'x' * 260 + 'b.jpg'],
        ['/p/x\\y.jpg', '/p/x_y.jpg', '/p/x/y.jpg'],
        ['/p/C:x.jpg', '/p/C_x.jpg'],
        ['/p/confusion_matrix.png', '/p/CONFUSION_MATRIX.jpg'],
        ['a.jpg', '../a.jpg', '/a.jpg', 'x/../../y/a.jpg'],
    ],
    ids=lambda inputs: ' '.join(inputs)[:40] if isinstance(inputs, list) else None,
)
@pytest.mark.parametrize('base', [None, '/p', '/elsewhere', '.'])
def test_different_inputs_get_different_names(inputs, base, renames):
    names = output_names(inputs, base, renames, reserved=['confusion_matrix.png'])
    assert_apart({**names, '': 'confusion_matrix.png'}, [*inputs, ''])
    # In any order.
    for order in itertools.islice(itertools.permutations(inputs), 1, 4):
        assert output_names(order, base, renames, reserved=['confusion_matrix.png']) == names


@pytest.mark.parametrize('name', HOSTILE)
def test_no_name_leads_out(name, tmp_path):
    """Outputs are inside the folder."""
    data, folder = tmp_path / 'data', tmp_path / 'out'
    inputs = [os.path.join(data, name), os.path.join(data, 'b.jpg')]
    for base, renames in itertools.product((None, data), ([str], PNG)):
        names = output_names(inputs, base, renames)
        assert_apart(names, inputs)
        for path in output_paths(folder, inputs, base, renames).values():
            assert Path(os.path.realpath(path)).is_relative_to(folder)
            atomic_write(path, b'', overwrite=True, make_folder=True)
    assert [path.name for path in tmp_path.iterdir()] == ['out']


@pytest.mark.parametrize('name', HOSTILE)
def test_safe_names_are_names_of_files(name, tmp_path):
    safe = safe_name(name)
    path = tmp_path / safe
    assert path.parent == tmp_path and path.name == safe
    if len(os.fsencode(safe)) <= LONGEST_NAME:
        atomic_write(path, b'')


def test_plain_names_stay():
    inputs = ['/d/images/a.jpg', '/d/images/x/a.jpg', '/d/images/x y/ü-1.b.JPG', '/d/images/.h.png']
    assert list(output_names(inputs, '/d/images').values()) == [
        'a.jpg',
        'x/a.jpg',
        'x y/ü-1.b.JPG',
        '.h.png',
    ]
    assert list(output_names(inputs, '/d/images', PNG).values()) == [
        'a.png',
        'x/a.png',
        'x y/ü-1.b.png',
        '.h.png',
    ]


def test_images_beside_the_folder_keep_the_folders_in_common():
    names = output_names(['/d/images/a.jpg', '/d/images/../a.jpg'], '/d/images')
    assert list(names.values()) == ['images/a.jpg', 'a.jpg']


def test_one_input_twice_has_one_name():
    names = output_names(['a.jpg', './a.jpg', 'a.jpg', Path('a.jpg').resolve()])
    assert set(names.values()) == {'a.jpg'}


def test_dots_behind_a_link_are_followed(tmp_path):
    """``link/../a.jpg`` is not ``a.jpg`` if the link points elsewhere."""
    (tmp_path / 'far/away').mkdir(parents=True)
    (tmp_path / 'here').mkdir()
    (tmp_path / 'here/link').symlink_to(tmp_path / 'far/away')
    inputs = [tmp_path / 'here/a.jpg', f'{tmp_path}/here/link/../a.jpg']
    assert list(output_names(inputs).values()) == ['here/a.jpg', 'far/a.jpg']


def test_links_in_the_folder_lead_nowhere_else(tmp_path):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/a.jpg').symlink_to(tmp_path / 'images/a.jpg')
    (tmp_path / 'out/x').symlink_to(tmp_path / 'images')
    for name in ('a.jpg', 'x/b.jpg'):
        with pytest.raises(InvalidArgument, match=r'leads out of .*, to .*images'):
            output_path(tmp_path / 'out', name)
    (tmp_path / 'linked').symlink_to('images')
    assert output_path(tmp_path / 'linked', 'a.jpg') == tmp_path / 'linked/a.jpg'


def test_many_names_take_little_time():
    inputs = [f'/d/{index % 100}/{index}.jpg' for index in range(20_000)]
    assert len(set(output_names(inputs, '/d', PNG).values())) == len(inputs)
