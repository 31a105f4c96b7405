"""Images, label maps and depth maps looked at by their headers."""

import os
import shutil
import struct

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('cv2')

from rexdense.datasets.depth.loading import DEPTH_MAP
from rexdense.datasets.images import file_checks
from rexdense.datasets.images.file_checks import Sample, check_files
from rexdense.datasets.images.files import UnreadableImage, decode_image
from rexdense.datasets.images.headers import ImageHeader, read_header
from rexdense.datasets.segmentation.label_maps import LABEL_MAP
from rexdense.errors import DataError
from tests.shared_files import SHARED, needs_shared

PIXELS = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
OTHER = {'PNG': {}, 'JPEG': {}, 'BMP': {}, 'TIFF': {}, 'WEBP': {'lossless': True}}
FORMATS = {
    **OTHER,
    'progressive JPEG': dict(progressive=True),
    'lossy WEBP': dict(quality=80),
    'deflated TIFF': dict(compression='tiff_adobe_deflate'),
}


def saved(path, format_name='PNG', pixels=PIXELS):
    Image.fromarray(pixels).save(path, format_name.split()[-1], **FORMATS[format_name])
    return path


def header(path):
    with open(path, 'rb') as file:
        return read_header(file)


def decodes(path):
    try:
        decode_image(path.read_bytes(), str(path))
    except UnreadableImage:
        return False
    return True


@pytest.mark.parametrize('format_name', FORMATS)
def test_headers_have_the_size(tmp_path, format_name):
    assert header(saved(tmp_path / 'x', format_name)) == ImageHeader(64, 48)


def test_of_a_tag_that_is_there_twice_the_first_counts(tmp_path):
    """As for libtiff, with which OpenCV decodes."""
    path = saved(tmp_path / 'x.tif', 'TIFF')
    content = bytearray(path.read_bytes())
    (place,) = struct.unpack_from('<I', content, 4)
    entries = [place + 2 + 12 * each for each in range(struct.unpack_from('<H', content, place)[0])]
    width = next(at for at in entries if struct.unpack_from('<H', content, at)[0] == 256)
    last = entries[-1]
    content[last : last + 12] = struct.pack('<HHII', 256, 4, 1, 7)
    assert width < last
    path.write_bytes(content)
    assert header(path).width == decode_image(bytes(content), str(path)).shape[1] == 64


@pytest.mark.parametrize('share', [0, 0.01, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize('format_name', FORMATS)
def test_a_cut_file_is_found_wherever_decoding_fails(tmp_path, format_name, share):
    path = saved(tmp_path / 'x', format_name)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    if decodes(path):
        check_files([Sample(str(path))], 'these')
    else:
        with pytest.raises(DataError, match=r'x (is empty|cannot be decoded: it is damaged)'):
            check_files([Sample(str(path))], 'these')


@pytest.mark.parametrize('format_name', FORMATS)
def test_a_file_that_ends_in_zeros_is_found(tmp_path, format_name):
    path = saved(tmp_path / 'x', format_name)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2].ljust(len(content), b'\0'))
    if not decodes(path) and format_name in ('PNG', 'JPEG', 'progressive JPEG'):
        with pytest.raises(DataError, match='cannot be decoded'):
            check_files([Sample(str(path))], 'these')


@pytest.mark.parametrize('format_name', FORMATS)
@pytest.mark.parametrize('appended', [b'\0' * 100, b'from a phone' * 2000])
def test_bytes_that_tools_append_are_no_fault(tmp_path, format_name, appended):
    path = saved(tmp_path / 'x', format_name)
    path.write_bytes(path.read_bytes() + appended)
    assert decodes(path)
    assert check_files([Sample(str(path), (48, 64))], 'these').damaged == {}


def test_formats_without_a_known_header_are_decoded(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / 'x.jp2')
    assert header(tmp_path / 'x.jp2') is None
    check_files([Sample(str(tmp_path / 'x.jp2'), (48, 64))], 'these')
    with pytest.raises(DataError, match='is 64 x 48 pixels'):
        check_files([Sample(str(tmp_path / 'x.jp2'), (64, 48))], 'these')


def test_faults_are_counted_and_the_first_are_named(tmp_path):
    paths = [saved(tmp_path / f'{number}.png') for number in range(9)]
    samples = [Sample(str(path), (48, 64)) for path in paths]
    assert check_files(samples, 'these') == ({}, 9, 9)
    for path in paths[2:8]:
        path.write_bytes(b'')
    with pytest.raises(
        DataError,
        match=r'^6 of the 9 images of these cannot be used: image \S+2.png is empty; .* it or take '
        r'it out of the data; image \S+3.png .*; image \S+4.png .*; and 3 more$',
    ):
        check_files(samples, 'these')
    looked = check_files(samples, 'these', may_be_damaged=True)
    assert len(looked.damaged) == 6
    (sentence,) = looked.sentences('these')
    assert sentence.startswith(
        '6 of the 9 images of these are damaged, and training goes on without them: image '
    )
    with pytest.raises(DataError, match='its annotation says 9 x 9'):
        check_files([*samples, Sample(str(paths[0]), (9, 9))], 'these', may_be_damaged=True)
    with pytest.raises(DataError, match='none of the 6 images of these can be used'):
        check_files(samples[2:8], 'these', may_be_damaged=True)


def test_a_file_that_changes_is_looked_at_again(tmp_path):
    path = saved(tmp_path / 'x.png')
    check_files([Sample(str(path))], 'these')
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match='cannot be decoded'):
        check_files([Sample(str(path))], 'these')


@pytest.mark.parametrize(
    ('kind', 'write'),
    [
        (LABEL_MAP, lambda path, size: saved(path, pixels=np.zeros(size, np.uint8))),
        (DEPTH_MAP, lambda path, size: saved(path, pixels=np.zeros(size, np.uint16))),
    ],
)
def test_maps_are_compared_with_their_images(tmp_path, kind, write):
    image, path = saved(tmp_path / 'image.png'), tmp_path / 'map.png'
    sample = Sample(str(image), map=str(path))
    write(path, (48, 64))
    check_files([sample], 'these', kind)
    write(path, (64, 48))
    with pytest.raises(
        DataError,
        match=rf'{kind.name} \S+map.png is 48 x 64 pixels \(width x height\), its image 64 x 48',
    ):
        check_files([sample], 'these', kind, may_be_damaged=True)
    write(path, (48, 64))
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match=f'{kind.name} .*map.png cannot be decoded'):
        check_files([sample], 'these', kind)


def test_depth_maps_of_numpy(tmp_path):
    image = saved(tmp_path / 'image.png')
    sample = Sample(str(image), map=str(tmp_path / 'map.npy'))
    for shape in ((48, 64), (1, 48, 64), (48, 64, 1)):
        np.save(tmp_path / 'map.npy', np.ones(shape, np.float32))
        check_files([sample], 'these', DEPTH_MAP)
    np.save(tmp_path / 'map.npy', np.ones((48, 63)))
    with pytest.raises(DataError, match='is 63 x 48 pixels'):
        check_files([sample], 'these', DEPTH_MAP)
    content = (tmp_path / 'map.npy').read_bytes()
    (tmp_path / 'map.npy').write_bytes(content[:-8])
    with pytest.raises(DataError, match=r'map\.npy cannot be read: it is damaged'):
        check_files([sample], 'these', DEPTH_MAP)


def test_time_is_limited_and_said(tmp_path, monkeypatch):
    path = saved(tmp_path / 'x.png')
    samples = []
    for number in range(600):
        os.link(path, tmp_path / f'{number}.png')
        samples.append(Sample(str(tmp_path / f'{number}.png')))
    monkeypatch.setattr(file_checks, 'MOST_SECONDS', 0.0)
    looked = check_files(samples, 'these')
    assert looked == ({}, 256, 600)
    assert looked.sentences('these') == [
        '256 of the 600 images of these were looked at in 0 s; the others are when they are read'
    ]


@needs_shared
@pytest.mark.parametrize('folder', ['bccd/images', 'nuclei/images', 'camvid/labels/val'])
def test_real_files_are_in_order(folder, tmp_path):
    paths = sorted((SHARED / 'data' / folder).iterdir())
    looked = check_files([Sample(str(path)) for path in paths], 'these')
    assert looked == ({}, len(paths), len(paths))
    for path in paths[:5]:
        with Image.open(path) as image:
            assert header(path) == ImageHeader(*image.size)
        copy = shutil.copy(path, tmp_path / path.name)
        with open(copy, 'rb+') as file:
            file.truncate(path.stat().st_size * 9 // 10)
        with pytest.raises(DataError, match='cannot be decoded'):
            check_files([Sample(str(copy))], 'these')
