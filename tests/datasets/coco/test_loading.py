"""Reading images of every common kind."""

import re

import pytest

pytest.importorskip('mmcv')

import cv2
import numpy as np
from mmcv.transforms import LoadImageFromFile
from PIL import Image, ImageOps

from rexdense.datasets.images.files import ImageError, UnreadableImage
from rexdense.datasets.images.loading import LoadImage
from rexdense.errors import DataError, InvalidArgument
from rexdense.registry import TRANSFORMS
from tests.mmengine_log import mmengine_messages
from tests.shared_files import SHARED, needs_shared

RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (12, 20, 3), np.uint8)
GREY = COLOUR[..., 0]


def load(path, size=None, **options):
    results = {'img_path': str(path)}
    if size is not None:
        results |= {'height': size[0], 'width': size[1]}
    results = LoadImage(**options)(results)
    image = results['img']
    assert image.flags.c_contiguous
    assert results['img_shape'] == results['ori_shape'] == image.shape[:2]
    return image


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


def test_it_is_found_by_name():
    transform = TRANSFORMS.build({'type': 'rexdense.LoadImage', 'bit_depth': 12})
    assert repr(transform) == (
        'LoadImage(bit_depth=12, to_float32=False, backend_args=None, background=None)'
    )


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'bmp', 'webp', 'tiff'])
def test_colour_images_are_those_of_mmcv(tmp_path, suffix):
    path = save(tmp_path / f'image.{suffix}', COLOUR)
    image = load(path, (12, 20))
    assert image.dtype == np.uint8
    assert np.array_equal(image, LoadImageFromFile()({'img_path': str(path)})['img'])
    if suffix in ('png', 'bmp', 'tiff'):
        assert np.array_equal(image, COLOUR[..., ::-1])


@needs_shared
@pytest.mark.parametrize('name', ['bccd', 'nuclei'])
def test_real_images_are_those_of_mmcv(name):
    for path in sorted((SHARED / 'data' / name / 'images').iterdir())[:3]:
        assert np.array_equal(load(path), LoadImageFromFile()({'img_path': str(path)})['img'])


@pytest.mark.parametrize(
    ('pixels', 'mode', 'expected'),
    [
        (GREY, None, np.stack([GREY] * 3, axis=-1)),
        (np.dstack([COLOUR, GREY]), None, COLOUR[..., ::-1]),
        (COLOUR, 'P', None),
        (COLOUR, 'LA', None),
        (COLOUR, '1', None),
    ],
)
def test_grey_alpha_and_palette_images(tmp_path, pixels, mode, expected):
    picture = Image.fromarray(pixels)
    picture = picture.convert(mode) if mode else picture
    picture.save(tmp_path / 'image.png')
    image = load(tmp_path / 'image.png')
    if expected is None:
        expected = np.asarray(picture.convert('RGB'))[..., ::-1]
    assert image.dtype == np.uint8
    assert np.array_equal(image, expected)


def test_float_pixels_on_demand(tmp_path):
    image = load(save(tmp_path / 'image.png', COLOUR), to_float32=True)
    assert image.dtype == np.float32
    assert np.array_equal(image, COLOUR[..., ::-1].astype(np.float32))


@pytest.mark.parametrize('channels', [1, 3, 4])
def test_16_bit_values_are_scaled_to_8_bit(tmp_path, channels):
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16)
    stored = np.dstack([levels] * channels).squeeze() * 257
    assert cv2.imwrite(str(tmp_path / 'image.png'), stored)
    assert np.array_equal(load(tmp_path / 'image.png'), np.dstack([levels.astype(np.uint8)] * 3))


def test_values_of_12_bits_in_files_of_16(tmp_path):
    stored = np.array([[0, 8, 9, 2047, 2048, 4094, 4095, 5000]], np.uint16)
    assert cv2.imwrite(str(tmp_path / 'image.png'), stored)
    image = load(tmp_path / 'image.png', bit_depth=12)
    assert image[0, :, 0].tolist() == [0, 0, 1, 127, 128, 255, 255, 255]


@pytest.mark.parametrize('brightest', [2500, 4095])
def test_a_bit_depth_that_does_not_fit_is_told_once(tmp_path, caplog, brightest):
    stored = np.full((4, 4), brightest, np.uint16)
    assert cv2.imwrite(str(tmp_path / 'image.png'), stored)
    transform = LoadImage()
    with mmengine_messages(caplog) as messages:
        for _ in range(2):
            transform({'img_path': str(tmp_path / 'image.png')})
    assert messages == [
        f'image {tmp_path / "image.png"} has 16-bit values up to {brightest}, with bit_depth=16 '
        'and so 65535 for white; bit_depth=12 would fit it'
    ]


def test_the_bit_depth_that_is_told_fits_the_brightest_image_so_far(tmp_path, caplog):
    transform = LoadImage()
    with mmengine_messages(caplog) as messages:
        for brightest in (0, 900, 700, 4000, 1000, 60000, 61000):
            path = tmp_path / f'{brightest}.png'
            assert cv2.imwrite(str(path), np.full((4, 4), brightest, np.uint16))
            transform({'img_path': str(path)})
    assert [message.rpartition('/')[2] for message in messages] == [
        '900.png has 16-bit values up to 900, with bit_depth=16 and so 65535 for white; '
        'bit_depth=10 would fit it',
        '4000.png has 16-bit values up to 4000, more than those before: bit_depth=12 fits all of '
        'them',
        '60000.png has 16-bit values up to 60000, more than those before: bit_depth=16 fits all of '
        'them',
    ]
    transform = LoadImage()
    with mmengine_messages(caplog) as messages:
        for brightest in (60000, 900):
            transform({'img_path': str(tmp_path / f'{brightest}.png')})
    assert messages == []


@pytest.mark.parametrize('depth', [8, 17, 12.0, '16'])
def test_bit_depth_out_of_range(depth):
    with pytest.raises(InvalidArgument, match=re.escape(f'bit_depth={depth!r}: give a whole')):
        LoadImage(bit_depth=depth)


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('suffix', ['jpg', 'png'])
def test_orientation(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / f'image.{suffix}', COLOUR, exif=exif)
    with Image.open(path) as picture:
        stored = np.asarray(picture)[..., ::-1]
        upright = np.asarray(ImageOps.exif_transpose(picture))[..., ::-1]
    turned = orientation >= 5
    assert upright.shape == ((20, 12, 3) if turned else (12, 20, 3))
    assert np.array_equal(load(path), upright)
    assert np.array_equal(load(path, upright.shape[:2]), upright)
    if turned:
        assert np.array_equal(load(path, (12, 20)), stored)


def test_orientation_of_a_square_image_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / 'image.png', COLOUR[:, :12], exif=exif)
    assert np.array_equal(load(path, (12, 12)), np.rot90(COLOUR[:, :12], -1)[..., ::-1])


def test_size_that_contradicts_the_annotation(tmp_path):
    path = save(tmp_path / 'image.png', COLOUR)
    with pytest.raises(ImageError) as caught:
        load(path, (20, 12))
    assert not isinstance(caught.value, UnreadableImage)
    assert str(caught.value) == (
        f'image {path} is 20 x 12 pixels (width x height), its annotation says 12 x 20; '
        'mend the annotation, or put the image that it describes there'
    )


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'bmp', 'tiff'])
@pytest.mark.parametrize('share', [0.5, 0.9])
def test_cut_off_images(tmp_path, suffix, share):
    pixels = RANDOM.integers(0, 256, (120, 120, 3), np.uint8)
    path = save(tmp_path / f'image.{suffix}', pixels)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UnreadableImage) as caught:
        load(path)
    assert str(caught.value) == (
        f'image {path} cannot be decoded: it is damaged or no image; '
        'replace it or take it out of the data'
    )


def test_files_that_are_no_images(tmp_path):
    path = tmp_path / 'image.png'
    for content, fault in ((b'', 'is empty;'), (b'hello', 'cannot be decoded: it is damaged')):
        path.write_bytes(content)
        with pytest.raises(UnreadableImage, match=f'image {re.escape(str(path))} {fault}'):
            load(path)
    path.unlink()
    with pytest.raises(UnreadableImage, match=r'cannot be read: No such file or directory'):
        load(path)


def test_float_images_are_refused(tmp_path):
    path = tmp_path / 'image.tiff'
    assert cv2.imwrite(str(path), np.ones((4, 4), np.float32))
    with pytest.raises(UnreadableImage, match='holds float32 values; save it with 8 or 16 bits'):
        load(path)


def test_message_survives_a_worker_process():
    error = UnreadableImage(
        'Caught UnreadableImage in DataLoader worker process 0.\n'
        'Original Traceback (most recent call last):\n  File "x.py", line 1\n'
        'rexdense.datasets.images.loading.UnreadableImage: image a: b\n'
    )
    assert str(error) == 'image a: b'
    assert isinstance(error, DataError)
