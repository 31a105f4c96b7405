"""classes.txt: names in order, and their colours."""

import pytest

from rexdense.datasets.class_list import class_colours, read_class_list
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
    ],
)
def test_files_that_cannot_be_used(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_class_list(write(tmp_path, text))


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r'classes.txt cannot be read \(No such file'):
        read_class_list(tmp_path / 'classes.txt')
