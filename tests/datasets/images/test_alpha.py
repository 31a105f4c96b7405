"""Images with alpha on a background, as viewers show them."""

import numpy as np
import pytest

pytest.importorskip('mmcv')

import cv2
from PIL import Image

from rexdense.datasets.images.loading import LoadImage
from rexdense.errors import InvalidArgument

RANDOM = np.random.default_rng(0)
COLOUR = Image.fromarray(RANDOM.integers(0, 256, (12, 20, 3), np.uint8))
ALPHA = Image.fromarray(RANDOM.integers(0, 256, (12, 20), np.uint8))


def with_alpha(mode):
    image = COLOUR.convert(mode)
    image.putalpha(ALPHA)
    return image


def load(path, **options):
    return LoadImage(**options)(dict(img_path=str(path)))['img'][..., ::-1]


@pytest.mark.parametrize('background', [0, 128, 255])
@pytest.mark.parametrize(('mode', 'name'), [('RGB', 'a.png'), ('L', 'a.png'), ('RGB', 'a.webp')])
def test_colours_are_laid_over_the_background(tmp_path, mode, name, background):
    options = dict(lossless=True, exact=True) if name == 'a.webp' else {}
    with_alpha(mode).save(tmp_path / name, **options)
    stored = np.asarray(Image.open(tmp_path / name).convert('RGBA')).astype(float)
    share = stored[..., 3:] / 255
    wanted = np.rint(stored[..., :3] * share + background * (1 - share))
    assert abs(load(tmp_path / name, background=background) - wanted).max() <= 1


def test_a_colour_of_a_palette_may_be_transparent(tmp_path):
    COLOUR.quantize(8).save(tmp_path / 'a.png', transparency=3)
    stored = Image.open(tmp_path / 'a.png').convert('RGBA')
    wanted = Image.alpha_composite(Image.new('RGBA', stored.size, 'white'), stored)
    assert np.array_equal(load(tmp_path / 'a.png', background=255), wanted.convert('RGB'))


def test_sixteen_bits_with_alpha(tmp_path):
    pixels = np.dstack([np.asarray(COLOUR), np.asarray(ALPHA)])[..., [2, 1, 0, 3]]
    cv2.imwrite(str(tmp_path / 'a.png'), pixels.astype(np.uint16) * 257)
    with_alpha('RGB').save(tmp_path / 'b.png')
    assert np.array_equal(
        load(tmp_path / 'a.png', background=255), load(tmp_path / 'b.png', background=255)
    )


@pytest.mark.parametrize('mode', ['RGB', 'L', 'CMYK'])
@pytest.mark.parametrize('name', ['a.jpg', 'a.tif'])
def test_images_without_alpha_stay_as_they_are(tmp_path, mode, name):
    COLOUR.convert(mode).save(tmp_path / name)
    assert np.array_equal(load(tmp_path / name), load(tmp_path / name, background=255))


@pytest.mark.parametrize('background', [-1, 256, 0.5, True, 'white'])
def test_other_backgrounds_are_refused(background):
    with pytest.raises(InvalidArgument, match='background'):
        LoadImage(background=background)
