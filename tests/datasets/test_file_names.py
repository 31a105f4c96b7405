"""Names of one file in several spellings, in folders of every kind of data set."""

import unicodedata

import numpy as np
import pytest
from PIL import Image

from rexdense.datasets.depth.pairs import pair_by_name, read_pair_list
from rexdense.datasets.file_names import find_files, match_names, name_key
from rexdense.datasets.segmentation.folder import find_pairs
from rexdense.errors import DataError

ACCENTS = 'Übergröße é'
DECOMPOSED = unicodedata.normalize('NFD', ACCENTS)
SPELLINGS = [
    (ACCENTS, DECOMPOSED),
    (DECOMPOSED, ACCENTS),
    ('IMG_1', 'img_1'),
    ('a%20b', 'a b'),
    ('a b', 'a%20b'),
    ('Room/1', 'room/1'),
]


def touch(path, size=(4, 6)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ones(size, np.uint16)).save(path)
    return path


@pytest.mark.parametrize(('image', 'other'), SPELLINGS)
@pytest.mark.parametrize('ending', ['.png', '.PNG'])
def test_label_maps_and_depth_maps_are_found(tmp_path, image, other, ending):
    images, maps = tmp_path / 'images', tmp_path / 'maps'
    touch(images / f'{image}.png')
    touch(maps / f'{other}{ending}')
    expected = images / f'{image}.png', maps / f'{other}{ending}'
    assert find_pairs(images, maps) == [expected]
    assert pair_by_name(images, maps).pairs == (tuple(map(str, expected)),)


@pytest.mark.parametrize(
    ('line', 'files'),
    [
        ('drive\\1.png depth\\1.png 718.3', ('drive/1.png', 'depth/1.png')),
        ('./drive/1.png ./1.png', ('drive/1.png', '1.png')),
        ('Drive/1.PNG 1.png', ('drive/1.png', '1.png')),
        (f'{DECOMPOSED.split()[0]}.png a%20b.png', (f'{ACCENTS.split()[0]}.png', 'a b.png')),
    ],
)
def test_lists_of_pairs(tmp_path, line, files):
    places = touch(tmp_path / 'images' / files[0]), touch(tmp_path / 'maps' / files[1])
    (tmp_path / 'list.txt').write_text(f'{line}\n', encoding='utf-8')
    ((image, depth),) = read_pair_list(
        tmp_path / 'list.txt', tmp_path / 'images', tmp_path / 'maps'
    ).pairs
    assert places[0].samefile(image) and places[1].samefile(depth)
    places[1].unlink()
    with pytest.raises(DataError, match='names 1 files that are not there, such as '):
        read_pair_list(tmp_path / 'list.txt', tmp_path / 'images', tmp_path / 'maps')


def test_the_very_spelling_comes_first(tmp_path):
    for name in ('a.png', 'A.png', 'b%20c.png', 'b c.png'):
        touch(tmp_path / name)
    names = ['A.png', 'a.png', 'b c.png', 'b%20c.png']
    assert find_files(tmp_path, names) == names
    # Two files might be meant, or one that another name is the very spelling of.
    assert find_files(tmp_path, ['B c.png', 'A.PNG']) == [None, None]
    assert find_files(tmp_path, ['b c.png', 'B C.png']) == ['b c.png', 'b%20c.png']
    assert match_names(['x'], ['X', 'x ']) == [None]


def test_names_outside_the_folder_are_found_as_they_are(tmp_path):
    touch(tmp_path / 'beside/1.png')
    (tmp_path / 'images').mkdir()
    absolute = str(tmp_path / 'beside/1.png')
    names = ['../beside/1.png', '..\\beside\\1.png', absolute, '../beside/2.png']
    found = find_files(tmp_path / 'images', names)
    assert found == ['../beside/1.png', '../beside/1.png', absolute, None]


def test_keys():
    assert name_key('.\\Scans\\\u0041\u030a%20b.JPG') == 'scans/\u00e5 b.jpg'
    assert name_key('/a.png') == name_key('./a.png') == name_key(' a.png ') == 'a.png'
