"""classes.txt: names in order, and their colours."""

import os

import pytest

from rexdense.datasets.segmentation.class_list import class_colours, read_class_list
from rexdense.errors import DataError


def write(folder, text):
    path = folder / 'classes.txt'
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_names_keep_their_order_and_blank_lines_do_not_count(tmp_path):
    assert read_class_list(write(tmp_path, 'sky\n\nroad side \r\ncar\n')).names == (
        'sky',
        'road side',
        'car',
    )


@pytest.mark.parametrize('line', ['road 128 64 0', 'road, 128, 64, 0', 'road\t128\t64\t0'])
def test_three_numbers_after_a_name_are_its_colour(tmp_path, line):
    classes = read_class_list(write(tmp_path, f'sky\n{line}\n'))
    assert classes.names == ('sky', 'road')
    assert classes.palette == (class_colours(['sky'])[0], (128, 64, 0))


def test_a_number_may_belong_to_a_name(tmp_path):
    assert read_class_list(write(tmp_path, 'type 1\ntype 2\n')).names == ('type 1', 'type 2')


def test_a_mark_of_the_byte_order_is_no_part_of_the_first_name(tmp_path):
    assert read_class_list(write(tmp_path, '\ufeffsky\nroad\n')).names == ('sky', 'road')


@pytest.mark.parametrize('number', [2, 20, 150, 255])
def test_no_two_classes_have_one_colour(number):
    colours = class_colours(['background', *map(str, range(number - 1))])
    assert colours[0] == (0, 0, 0)
    assert len(set(colours)) == number
    assert all(0 <= part <= 255 for colour in colours for part in colour)


@pytest.mark.parametrize(
    'text, message',
    [
        ('', 'holds 0 class names'),
        ('cell\n', 'holds 1 class name, and .*name the background too'),
        ('\n'.join(map(str, range(256))), 'holds 256 class names'),
        ('sky\nroad\nsky\n', "names 'sky' twice"),
        ('sky\nroad 1 2 256\n', "'road 1 2 256' has a colour beyond 255"),
        (b'sky\n\xff\xfe\n', 'no UTF-8 text'),
        # What would be searched for minutes, or be too long a number.
        (f'sky\na{" " * 100_000}b\n', 'has a line of 100002 characters'),
        (f'sky\nroad{",1" * 50_000}\n', 'has a line of 100004 characters'),
        (f'0 sky\n{"9" * 5000} road\n', 'has a line of 5005 characters'),
        ('a\n' * 3_000_000, 'is longer than 4 MiB, and is not read; it must hold a class name'),
    ],
)
def test_files_that_cannot_be_used(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_class_list(write(tmp_path, text))


def test_named_pipes_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'classes.txt')
    with pytest.raises(DataError, match='is a named pipe, no regular file; it must hold'):
        read_class_list(tmp_path / 'classes.txt')


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r'classes.txt cannot be read \(No such file'):
        read_class_list(tmp_path / 'classes.txt')


@pytest.mark.parametrize(
    'text',
    [
        '# name\nroad\nsky\ncar\n',
        '# classes of the town\n#\n\nroad\n  # sky comes next\nsky\n\ncar\n',
        '\ufeffroad\r\nsky\r\ncar\r\n',
        '\ufeff# name\r\nroad\r\nsky\r\ncar',
        'road  # tarmac\nsky\t# clouds too\ncar',
        '0 road\n1 sky\n2 car\n',
        '0: road\n1: sky\n2: car\n',
        '0,road\n1,sky\n2,car\n',
        '2\tcar\n0\troad\n1\tsky\n',
        '# label name\n0. road\n1. sky\n2. car\n',
        'name,r,g,b\nroad,1,2,3\nsky,4,5,6\ncar,7,8,9\n',
        'Name R G B\nroad 1 2 3\nsky 4 5 6\ncar 7 8 9\n',
        '0 road 1 2 3\n1 sky 4 5 6\n2 car 7 8 9\n',
    ],
)
def test_other_lines_than_classes_do_not_shift_the_labels(tmp_path, text):
    path = tmp_path / 'classes.txt'
    path.write_bytes(text.encode())
    classes = read_class_list(path)
    assert classes.names == ('road', 'sky', 'car')
    if '1' in text and '7' in text:
        assert classes.palette == ((1, 2, 3), (4, 5, 6), (7, 8, 9))


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('# road\n# sky\n', 'holds 0 class names'),
        ('#ff0000 road\n#00ff00 sky\n', "'#ff0000 road' begins with #, as comments do"),
        ('1 road\n2 sky\n', 'numbers its classes 1, 2; labels are 0, 1, 2 .* name label 0'),
        ('0 road\n0 sky\n', 'numbers its classes 0, 0'),
        ('0 road\n2 sky\n', 'numbers its classes 0, 2'),
        ('road\nsky\nroad # again\n', "names 'road' twice"),
        ('road\n# road is twice\nroad\n', "names 'road' twice"),
    ],
)
def test_lists_that_may_mean_something_else_are_refused(tmp_path, text, message):
    (tmp_path / 'classes.txt').write_text(text)
    with pytest.raises(DataError, match=message):
        read_class_list(tmp_path / 'classes.txt')


@pytest.mark.parametrize('names', [('3 wheeler', 'car'), ('C#', 'F#'), ('road', 'background')])
def test_names_that_look_like_more_stay(tmp_path, names):
    (tmp_path / 'classes.txt').write_text('\n'.join(names))
    assert read_class_list(tmp_path / 'classes.txt').names == names
