"""Image files that are damaged, of odd colours, or no files at all: each ends in an ImageError."""

import contextlib
import io
import os
import socket
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

pytest.importorskip('mmcv')

from rexdense.datasets.depth.loading import LoadDepth, read_depth
from rexdense.datasets.file_names import not_a_file
from rexdense.datasets.images.file_checks import Sample, check_files
from rexdense.datasets.images.files import UnreadableImage, decode_image
from rexdense.datasets.images.headers import read_header
from rexdense.datasets.images.loading import ImageError, LoadImage
from rexdense.datasets.segmentation.loading import LoadSegmentationAnnotations
from rexdense.errors import DataError
from tests.mutants import mutants

PIXELS = np.random.default_rng(1).integers(0, 256, (12, 16, 3), np.uint8)
# PhotometricInterpretation is a SHORT, tag 262, of one value.
PHOTOMETRIC = b'\x06\x01\x03\x00\x01\x00\x00\x00'


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def with_photometric(value):
    content = encoded(Image.fromarray(PIXELS), 'TIFF')
    before, found, after = content.partition(PHOTOMETRIC)
    assert found
    return before + found + value.to_bytes(2, 'little') + after[2:]


@pytest.mark.parametrize('size', [(40_000, 30_000), (2**20 + 1, 2)])
def test_more_pixels_than_opencv_decodes_are_no_damage(size):
    content = encoded(Image.new('1', (8, 8)), 'PNG')
    place = content.index(b'IHDR') + 4
    header = b''.join(side.to_bytes(4, 'big') for side in size) + content[place + 8 : place + 13]
    check = zlib.crc32(b'IHDR' + header).to_bytes(4, 'big')
    with pytest.raises(UnreadableImage, match=rf'{size[0]} x {size[1]} pixels, too many to decode'):
        decode_image(content[:place] + header + check + content[place + 17 :], 'x.png')


@pytest.mark.parametrize('value', [4, 8, 9, 10, 32803, 32844, 32845])
def test_colours_that_opencv_does_not_know_are_refused(value):
    with pytest.raises(UnreadableImage, match=rf'x\.tif .*\(PhotometricInterpretation {value};'):
        decode_image(with_photometric(value), 'x.tif')


def test_a_lab_file_is_refused_and_the_kinds_that_are_read_come_out_right():
    image = Image.fromarray(np.repeat(PIXELS[:, :1], 16, 1))
    with pytest.raises(UnreadableImage, match='save it as RGB'):
        decode_image(encoded(image.convert('LAB'), 'TIFF'), 'x.tif')
    for mode in ('1', 'L', 'RGB', 'P', 'RGBA'):
        known = image.convert(mode)
        decoded = decode_image(encoded(known, 'TIFF'), 'x.tif')
        if decoded.ndim == 2:
            decoded = cv2.cvtColor(decoded, cv2.COLOR_GRAY2BGR)
        assert np.array_equal(decoded[..., 2::-1], known.convert('RGB')), mode


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('kind', ['PNG', 'JPEG', 'TIFF', 'BMP', 'WEBP', 'GIF', 'PPM', 'npy'])
def test_damage_anywhere_is_no_other_error(tmp_path, kind):
    if kind == 'npy':
        buffer = io.BytesIO()
        np.save(buffer, PIXELS[..., 0] / 7)
        content = buffer.getvalue()
    else:
        content = encoded(Image.fromarray(PIXELS), kind)
    path = tmp_path / ('x.npy' if kind == 'npy' else 'x')
    for damaged in mutants(content, 100):
        header = read_header(io.BytesIO(damaged))
        if header and header.width * header.height > 2**20:
            continue  # it may take a gigabyte
        path.write_bytes(damaged)
        with contextlib.suppress(ImageError):
            LoadImage()(dict(img_path=str(path)))
        with contextlib.suppress(ImageError):
            read_depth(damaged, str(path))
        with contextlib.suppress(DataError):
            check_files([Sample(str(path))], 'these')


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.fixture(params=['pipe', 'folder', 'socket', 'device', 'link to a device'])
def no_file(request, tmp_path, monkeypatch):
    """A path at which something else than a file is."""
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    if request.param == 'device':
        return '/dev/zero'
    make = {
        'pipe': os.mkfifo,
        'folder': os.mkdir,
        'socket': make_socket,
        'link to a device': lambda path: os.symlink('/dev/zero', path),
    }
    make[request.param]('x.png')
    return 'x.png'


def test_special_files_are_not_opened_by_any_reader(no_file):
    assert not_a_file(no_file).endswith(', no regular file')
    size = dict(ori_shape=(2, 2), seg_fields=[], num_classes=2, ignore_index=255)
    for load, key in (
        (LoadImage(), 'img_path'),
        (LoadDepth(), 'depth_map_path'),
        (LoadSegmentationAnnotations(), 'seg_map_path'),
    ):
        with pytest.raises(ImageError, match=rf'{no_file} is a .*, no regular file'):
            load({key: no_file, **size})


def test_special_files_are_told_before_training(no_file, tmp_path):
    with pytest.raises(DataError, match=rf'{no_file} is a .*, no regular file'):
        check_files([Sample(no_file)], 'these')
    Image.fromarray(PIXELS).save(tmp_path / 'whole.png')
    samples = [Sample(str(tmp_path / 'whole.png')), Sample(no_file)]
    assert len(check_files(samples, 'these', may_be_damaged=True).damaged) == 1


def test_files_links_to_them_and_nothing_are_let_pass(tmp_path):
    (tmp_path / 'x').write_bytes(b'')
    (tmp_path / 'y').symlink_to('x')
    assert [not_a_file(tmp_path / name) for name in ('x', 'y', 'z', 'a\0b')] == [None] * 4
