"""Crops from images decoded at reduced size beside crops from the whole images."""

import cv2
import numpy as np
import pytest

pytest.importorskip('mmcv')

from PIL import Image

from rexdense.datasets.images.files import UnreadableImage
from rexdense.datasets.images.loading import LoadImage
from rexdense.datasets.transforms import LoadRandomResizedCrop, RandomResizedCrop, load_crop
from tests.shared_files import SHARED, needs_shared

LARGE = dict(area=(0.9, 1.0))
SMALL = dict(area=(0.05, 0.1))


def picture(height=500, width=620):
    """A picture with structures of some ten pixels, as photographs have them."""
    values = np.random.default_rng(0).integers(0, 256, (height // 12, width // 12, 3), np.uint8)
    return cv2.resize(values, (width, height), interpolation=cv2.INTER_CUBIC)


def save(path, orientation=1, mode='RGB', size=(500, 620)):
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(picture(*size)).convert(mode).save(path, exif=exif, quality=95)
    return dict(img_path=str(path))


def both(results, seed, size=100, **arguments):
    """The crop in one step and in two, for one seed."""
    np.random.seed(seed)
    one = LoadRandomResizedCrop(size, **arguments)(dict(results))
    np.random.seed(seed)
    two = RandomResizedCrop(size, **arguments)(LoadImage()(dict(results)))
    return one, two


@pytest.mark.parametrize('interpolation', ['bilinear', 'bicubic', 'random'])
@pytest.mark.parametrize('orientation', range(1, 9))
def test_a_reduced_crop_shows_what_the_whole_one_does(tmp_path, orientation, interpolation):
    results = save(tmp_path / 'a.jpg', orientation)
    for seed in range(4):
        one, two = both(results, seed, interpolation=interpolation, **LARGE)
        assert one['ori_shape'] == two['ori_shape'] and one['img_shape'] == two['img_shape']
        difference = abs(one['img'].astype(int) - two['img'])
        assert one['img'].dtype == np.uint8 and 0 < difference.mean() < 2.5


@pytest.mark.parametrize('axis', [0, 1])
@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('size', [(505, 625), (511, 631), (512, 640)])
def test_a_reduced_crop_lies_where_the_whole_one_does(tmp_path, size, orientation, axis):
    """Measured in pixels of the crop, by the phase of waves 60 pixels long; the sides are 1 and 7
    pixels more than multiples of the reduction, and multiples."""
    wave = 128 + 100 * np.sin(np.arange(size[axis]) * 2 * np.pi / 60)
    values = np.broadcast_to(wave[:, None] if axis == 0 else wave, size).round().astype(np.uint8)
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(values).save(tmp_path / 'a.jpg', exif=exif, quality=100)
    across = 1 - axis if orientation < 5 else axis
    for seed in range(3):
        crops = both(dict(img_path=str(tmp_path / 'a.jpg')), seed, 60, **LARGE)
        one, two = (
            np.fft.rfft(np.hanning(60) * (crop['img'][..., 0].mean(across) - 128)) for crop in crops
        )
        crest = abs(two).argmax()
        shift = np.angle(one[crest] / two[crest]) / (2 * np.pi) * 60 / crest
        assert abs(shift) < 0.05


@pytest.mark.parametrize('name', ['a.png', 'a.webp', 'a.jpg'])
def test_a_crop_that_needs_all_detail_is_the_same(tmp_path, name):
    results = save(tmp_path / name, 6)
    for seed in range(4):
        one, two = both(results, seed, **SMALL)
        assert np.array_equal(one['img'], two['img'])


@pytest.mark.parametrize('mode', ['L', 'CMYK'])
def test_grey_and_cmyk_come_out_as_colour(tmp_path, mode):
    one, two = both(save(tmp_path / 'a.jpg', mode=mode), 0, **LARGE)
    assert one['img'].shape == (100, 100, 3)
    assert abs(one['img'].astype(int) - two['img']).mean() < 2.5


@pytest.mark.parametrize(
    ('size', 'factor'), [(400, None), (251, None), (250, 2), (126, 2), (125, 4), (63, 4), (62, 8)]
)
def test_no_more_is_left_out_than_the_box_allows(tmp_path, monkeypatch, size, factor):
    seen = []
    decode = cv2.imdecode
    monkeypatch.setattr(
        cv2, 'imdecode', lambda *given: seen.append(decode(*given).shape) or decode(*given)
    )
    LoadRandomResizedCrop(size, area=(1.0, 1.0), ratio=(1.24, 1.24))(save(tmp_path / 'a.jpg'))
    assert seen == [(-(-500 // (factor or 1)), -(-620 // (factor or 1)), 3)]


def test_boxes_are_those_of_the_whole_image(tmp_path, monkeypatch):
    results = save(tmp_path / 'a.jpg')
    drawn = []
    draw = RandomResizedCrop.draw_box
    monkeypatch.setattr(
        RandomResizedCrop, 'draw_box', lambda *given: drawn.append(draw(*given)) or drawn[-1]
    )
    for seed in range(50):
        both(results, seed)
        assert drawn[-1] == drawn[-2]


def test_a_box_is_cut_to_parts_of_a_pixel():
    rows, columns = np.mgrid[:60, :80].astype(np.float32)
    ramp = np.stack([rows, columns, rows + columns], -1)
    left, top, width, height = 10.25, 4.5, 60.5, 50.0
    found = load_crop._cut_reduced(ramp, (left, top, width, height), 40)
    middles = np.arange(40) + 0.5
    assert abs(found[:, 0, 0] - (top + middles * height / 40 - 0.5)).max() < 1 / 30
    assert abs(found[0, :, 1] - (left + middles * width / 40 - 0.5)).max() < 1 / 30


def test_reduction_can_be_switched_off(tmp_path):
    results = save(tmp_path / 'a.jpg')
    np.random.seed(0)
    one = LoadRandomResizedCrop(100, reduce=False, **LARGE)(dict(results))
    assert np.array_equal(one['img'], both(results, 0, **LARGE)[1]['img'])


@pytest.mark.parametrize('keep', [0, 2, 300])
def test_a_damaged_file_is_told(tmp_path, keep):
    results = save(tmp_path / 'a.jpg')
    content = (tmp_path / 'a.jpg').read_bytes()
    (tmp_path / 'a.jpg').write_bytes(content[:keep])
    with pytest.raises(UnreadableImage, match=r'a\.jpg'):
        LoadRandomResizedCrop(100)(results)


@needs_shared
def test_real_pictures_stay_within_the_stated_tolerance(tmp_path):
    files = sorted((SHARED / 'data' / 'imagenet_sample' / 'val').rglob('*.JPEG'))[::50]
    means = []
    for seed, file in enumerate(files):
        image = Image.open(file)
        factor = 500 / min(image.size)
        size = round(image.width * factor), round(image.height * factor)
        image.resize(size, Image.Resampling.BICUBIC).save(tmp_path / 'a.jpg', quality=90)
        one, two = both(dict(img_path=str(tmp_path / 'a.jpg')), seed, 224, **LARGE)
        means.append(abs(one['img'].astype(int) - two['img']).mean())
    reduced = [mean for mean in means if mean]
    assert len(reduced) > 5 and max(reduced) < 2 and np.median(reduced) < 0.8
