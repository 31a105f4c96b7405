"""Pictures that bear an orientation are read as a viewer shows them, whatever the file's kind."""

import io

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('mmcv')

from rexdense.datasets.depth.loading import read_depth
from rexdense.datasets.images.headers import read_header
from rexdense.datasets.images.loading import LoadImage
from rexdense.datasets.images.orientation import as_stored, orientation_of
from rexdense.datasets.segmentation.folder import SegmentationFolder
from rexdense.datasets.segmentation.label_maps import read_label_map
from rexdense.visualization.picture_files import read_picture
from tests.datasets.images.turned_files import GREY, ORIENTATIONS, STORED, UPRIGHT, save_turned

SIXTEEN = GREY.astype(np.uint16) * 257
KINDS = {
    'png': ('.png', UPRIGHT, {}),
    'webp': ('.webp', UPRIGHT, {}),
    'tiff': ('.tif', UPRIGHT, {}),
    'tiff, deflated': ('.tiff', UPRIGHT, dict(compression='tiff_adobe_deflate')),
    'tiff, lzw': ('.tif', UPRIGHT, dict(compression='tiff_lzw')),
    'grey png': ('.png', GREY, {}),
    'grey tiff': ('.tif', GREY, {}),
    'grey png, 16 bit': ('.png', SIXTEEN, {}),
    'grey tiff, 16 bit': ('.tif', SIXTEEN, {}),
    'grey tiff, 16 bit, deflated': ('.tif', SIXTEEN, dict(compression='tiff_adobe_deflate')),
}
every_kind = pytest.mark.parametrize('kind', KINDS)
every_orientation = pytest.mark.parametrize('orientation', ORIENTATIONS)


def saved(tmp_path, kind, orientation):
    suffix, upright, options = KINDS[kind]
    path = save_turned(tmp_path / f'image{suffix}', upright, orientation, **options)
    return path, UPRIGHT if upright.ndim == 3 else np.dstack([GREY] * 3)


@every_orientation
@every_kind
def test_images_are_upright(tmp_path, kind, orientation):
    path, upright = saved(tmp_path, kind, orientation)
    assert np.array_equal(LoadImage()({'img_path': str(path)})['img'][..., ::-1], upright)
    assert np.array_equal(read_picture(path), upright)
    sizes = {'height': 20, 'width': 36}
    loaded = LoadImage()({'img_path': str(path), **sizes})['img'][..., ::-1]
    assert np.array_equal(loaded, upright)


@every_orientation
def test_jpeg_files_are_upright(tmp_path, orientation):
    smooth = np.kron(np.arange(6, dtype=np.uint8).reshape(2, 3) * 40, np.ones((16, 16), np.uint8))
    path = save_turned(tmp_path / 'image.jpg', np.dstack([smooth] * 3), orientation)
    image = read_picture(path)
    assert image.shape == (32, 48, 3)
    assert np.abs(image[..., 0].astype(int) - smooth).max() < 4


@every_orientation
@every_kind
def test_an_annotation_of_the_stored_size_keeps_the_image_as_stored(tmp_path, kind, orientation):
    if orientation < 5:
        return
    path, upright = saved(tmp_path, kind, orientation)
    sizes = {'height': 36, 'width': 20}
    loaded = LoadImage()({'img_path': str(path), **sizes})['img'][..., ::-1]
    assert np.array_equal(loaded, STORED[orientation](upright))


@every_orientation
@every_kind
def test_headers_have_the_stored_size_and_the_orientation(tmp_path, kind, orientation):
    path, _ = saved(tmp_path, kind, orientation)
    with path.open('rb') as file:
        header = read_header(file)
    assert (header.orientation, header.whole) == (orientation, True)
    assert header.upright_size == (20, 36)
    assert header.stored_size == ((20, 36) if orientation < 5 else (36, 20))


@every_orientation
@pytest.mark.parametrize('suffix', ['.png', '.tif'])
def test_label_maps_are_upright(tmp_path, suffix, orientation):
    path = save_turned(tmp_path / f'labels{suffix}', GREY % 3, orientation)
    assert np.array_equal(read_label_map(path), GREY % 3)
    assert np.array_equal(read_label_map(path, path.read_bytes()), GREY % 3)


@every_orientation
@pytest.mark.parametrize('suffix', ['.png', '.tif'])
@pytest.mark.parametrize('depth', [SIXTEEN, GREY.astype(np.float32)])
def test_depth_maps_are_upright(tmp_path, suffix, orientation, depth):
    if suffix == '.png' and depth.dtype == np.float32:
        return
    path = save_turned(tmp_path / f'depth{suffix}', depth, orientation)
    expected = depth / np.float32(1000) if depth.dtype == np.uint16 else depth
    assert np.array_equal(read_depth(path.read_bytes(), str(path)), expected)


@every_orientation
@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.tif', '.webp'])
def test_a_folder_compares_the_upright_sizes(tmp_path, suffix, orientation):
    for folder in ('images/train', 'labels/train'):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / 'classes.txt').write_text('a\nb\nc\n')
    save_turned(tmp_path / f'images/train/0{suffix}', UPRIGHT, orientation)
    Image.fromarray(GREY % 3).save(tmp_path / 'labels/train/0.png')
    assert sum(SegmentationFolder(tmp_path).check('train').pixels) == GREY.size


def test_orientation_behind_the_pixels_and_in_xmp(tmp_path):
    Image.fromarray(UPRIGHT).save(tmp_path / 'image.png')
    plain = (tmp_path / 'image.png').read_bytes()
    exif = b'\0\0\0\x1aeXIfII*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0CRC?'
    assert orientation_of(plain[:-12] + exif + plain[-12:]) == 6
    xmp = b"<x:xmpmeta tiff:Orientation='8'/>"
    Image.fromarray(UPRIGHT).save(tmp_path / 'image.jpg', xmp=xmp)
    assert orientation_of((tmp_path / 'image.jpg').read_bytes()) == 8


def test_damaged_or_senseless_orientations_count_as_none(tmp_path):
    for value in (0, 9, 600):
        exif = Image.Exif()
        exif[274] = value
        Image.fromarray(UPRIGHT).save(tmp_path / 'image.png', exif=exif)
        assert np.array_equal(read_picture(tmp_path / 'image.png'), UPRIGHT)
    buffer = io.BytesIO()
    Image.fromarray(UPRIGHT).save(buffer, 'TIFF', tiffinfo={274: 6})
    whole = buffer.getvalue()
    for end in range(0, len(whole), 7):
        assert orientation_of(whole[:end]) in range(1, 9)
        assert len(as_stored(whole[:end])) == end
