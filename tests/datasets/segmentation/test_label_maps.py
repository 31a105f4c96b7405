"""Label maps as they come, and what is no label map."""

import contextlib
import io
import os
import struct
import subprocess
import zlib

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from rexdense.datasets.segmentation.label_maps import check_labels, read_label_map
from rexdense.errors import DataError
from tests.mutants import mutants

LABELS = np.array([[0, 1, 2], [255, 2, 1]], np.uint8)


def saved(tmp_path, image):
    path = tmp_path / 'labels.png'
    image.save(path)
    return path


def test_grey_values_and_palette_indices_are_labels(tmp_path):
    assert np.array_equal(read_label_map(saved(tmp_path, Image.fromarray(LABELS))), LABELS)
    with_palette = Image.fromarray(LABELS)
    with_palette.putpalette([7, 8, 9] * 256)
    assert with_palette.mode == 'P'
    assert np.array_equal(read_label_map(saved(tmp_path, with_palette)), LABELS)


def test_black_and_white_is_two_labels(tmp_path):
    image = Image.fromarray(LABELS == 2)
    assert read_label_map(saved(tmp_path, image)).tolist() == [[0, 0, 1], [0, 1, 0]]


def test_sixteen_bits_are_read_as_they_are(tmp_path):
    image = Image.fromarray(LABELS.astype(np.uint16) + 300)
    assert read_label_map(saved(tmp_path, image)).max() == 555


@pytest.mark.parametrize(
    'image, message',
    [
        (Image.fromarray(LABELS).convert('RGB'), r'3 channels \(RGB\).*save one of them'),
        (Image.fromarray(np.eye(3, dtype=np.uint8)[LABELS % 3]), 'give each pixel its class index'),
        (Image.fromarray(LABELS).convert('RGBA'), r'4 channels \(RGBA\)'),
    ],
)
def test_colours_are_refused_and_it_is_said_how_to_convert(tmp_path, image, message):
    with pytest.raises(DataError, match=message):
        read_label_map(saved(tmp_path, image))


def test_a_conversion_as_the_message_says_gives_the_indices():
    colours = np.array([[0, 0, 0], [9, 0, 0], [0, 9, 0]], np.uint8)
    rgb = colours[LABELS % 3]
    assert np.array_equal((rgb[:, :, None] == colours).all(-1).argmax(-1), LABELS % 3)


def test_damaged_and_missing_files(tmp_path):
    path = tmp_path / 'labels.png'
    with pytest.raises(DataError, match='is not there'):
        read_label_map(path)
    path.write_bytes(b'no image')
    with pytest.raises(DataError, match='cannot be decoded'):
        read_label_map(path)
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match='cannot be decoded'):
        read_label_map(path)


def test_floating_point_values_are_no_labels(tmp_path):
    path = tmp_path / 'labels.tif'
    Image.fromarray(np.zeros((4, 4), np.float32)).save(path)
    with pytest.raises(DataError, match='float32'):
        read_label_map(path)


def test_labels_that_are_no_class_are_named_with_their_share():
    check_labels(LABELS, 3, 'a.png')
    with pytest.raises(
        DataError, match=r'a.png has the label 2 \(33.3% of its pixels\).*2 classes, 0 to 1'
    ):
        check_labels(LABELS, 2, 'a.png')
    with pytest.raises(DataError, match=r'1 \(33.3%.*2 \(33.3%.*255 \(16.7%'):
        check_labels(LABELS, 1, 'a.png', void=254)


def png(labels, bits, colour_type=0, transparent=b''):
    """A PNG file with the labels as stored numbers of 1, 2 or 4 bits (PNG, 2nd edition, 7.2)."""
    height, width = labels.shape
    rows = b''
    for row in labels:
        binary = ''.join(f'{value:0{bits}b}' for value in row)
        binary = binary.ljust(-(-len(binary) // 8) * 8, '0')
        rows += b'\0' + int(binary, 2).to_bytes(len(binary) // 8, 'big')

    def chunk(kind, content):
        checked = kind + content
        return struct.pack('>I', len(content)) + checked + struct.pack('>I', zlib.crc32(checked))

    header = struct.pack('>IIBBBBB', width, height, bits, colour_type, 0, 0, 0)
    content = chunk(b'IHDR', header)
    if colour_type == 3:
        content += chunk(b'PLTE', bytes(number % 256 for number in range(3 * 2**bits)))
    if transparent:
        content += chunk(b'tRNS', transparent)
    content += chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b'')
    return b'\x89PNG\r\n\x1a\n' + content


@pytest.mark.parametrize('transparent', [False, True])
@pytest.mark.parametrize('colour_type', [0, 3])
@pytest.mark.parametrize('bits', [1, 2, 4, 8])
def test_labels_of_few_bits_are_read_as_stored(bits, colour_type, transparent):
    labels = np.arange(3 * 37, dtype=np.uint8).reshape(3, 37) % 2 ** min(bits, 6)
    alpha = (b'\0\1' if colour_type == 0 else b'\0\x80') if transparent else b''
    read = read_label_map('x.png', png(labels, bits, colour_type, alpha))
    assert read.dtype == np.uint8
    assert np.array_equal(read, labels)


@pytest.mark.parametrize('bits', [2, 4])
def test_tiff_labels_of_few_bits_are_read_as_stored(bits):
    # A file of one strip with one row: 8 values from 0.
    stored = sum(value % 2**bits << (7 - value) * bits for value in range(8)).to_bytes(bits, 'big')
    tags = {256: 8, 257: 1, 258: bits, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: bits}
    entries = b''.join(struct.pack('<HHIHH', tag, 3, 1, value, 0) for tag, value in tags.items())
    directory = struct.pack('<H', len(tags)) + entries + bytes(4)
    content = struct.pack('<2sHI', b'II', 42, 8 + bits) + stored + directory
    assert read_label_map('x.tif', content).tolist() == [[value % 2**bits for value in range(8)]]


def test_a_map_of_more_pixels_than_pillow_reads_is_told():
    small = png(np.zeros((1, 1), np.uint8), 8)
    header = b'IHDR' + struct.pack('>II', 13500, 13500) + small[24:29]
    content = small[:12] + header + struct.pack('>I', zlib.crc32(header)) + small[33:]
    with pytest.raises(DataError, match=r'^label map x\.png has too many pixels .* into tiles$'):
        read_label_map('x.png', content)


@pytest.mark.parametrize('make', [os.mkfifo, os.mkdir])
def test_pipes_and_folders_are_not_opened(tmp_path, make):
    make(tmp_path / 'labels.png')
    with pytest.raises(DataError, match=r'labels\.png is a .*, no regular file'):
        read_label_map(tmp_path / 'labels.png')


def test_no_program_draws_a_map(tmp_path, monkeypatch):
    """Pillow has PostScript, which is a program itself, run by Ghostscript."""
    monkeypatch.setattr(subprocess, 'check_call', lambda *_, **__: ran.append(1))
    monkeypatch.setattr(EpsImagePlugin, 'gs_binary', 'gs')
    ran = []
    content = b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n%%EOF\n'
    with pytest.raises(DataError, match='cannot be decoded'):
        read_label_map('labels.png', content)
    assert not ran


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('kind', ['PNG', 'TIFF', 'BMP', 'JPEG', 'WEBP', 'GIF'])
def test_damage_anywhere_is_no_other_error(kind):
    buffer = io.BytesIO()
    Image.fromarray(LABELS).save(buffer, kind)
    for content in mutants(buffer.getvalue(), 200):
        with contextlib.suppress(DataError):
            read_label_map('x', content)
