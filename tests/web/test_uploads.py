"""What is refused of uploaded files, before anything is decoded."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from rexdense.datasets.images.loading import ImageError
from rexdense.web.uploads import MEGABYTE, UPLOAD_ENDINGS, Limits, check_upload

LIMITS = Limits(bytes=MEGABYTE, pixels=MEGABYTE)


def png_header(width, height):
    """The beginning of a PNG file of any size, which has no pixels."""
    content = b'IHDR' + struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    checked = content + struct.pack('>I', zlib.crc32(content))
    return b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + checked + struct.pack('>I', 0) + b'IDAT'


@pytest.mark.parametrize('ending', UPLOAD_ENDINGS)
def test_each_kind_is_taken(ending, tmp_path):
    path = tmp_path / f'a{ending}'
    Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(path)
    check_upload(path, LIMITS)


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.png', b'', 'a.png is no image, or damaged at its beginning: give one of the kinds jpg'),
        ('a.jpg', b'<html><script>', 'a.jpg is no image'),
        ('a.png', b'\x80\x04cos\nsystem\n', 'a.png is no image'),
        ('a.svg', b'<svg onload="alert(1)"/>', 'a.svg is no image'),
        ('a.MP4', b'', 'a.MP4 is a video: give images, or run rexdense predict CHECKPOINT a.MP4'),
        (
            'a.png',
            png_header(20000, 20000),
            'a.png has 20000 x 20000 pixels, 400 million: at',
        ),
        ('a.png', b'x' * 1_200_000, 'a.png has 1.2 MB: at most 1 MB are taken'),
    ],
)
def test_refused(name, content, message, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        check_upload(path, LIMITS)
    assert str(caught.value).startswith(message)
    assert str(tmp_path) not in str(caught.value)


def test_a_file_that_has_gone(tmp_path):
    with pytest.raises(ImageError, match=r'^a\.png cannot be read .*upload it again$'):
        check_upload(tmp_path / 'a.png', LIMITS)
