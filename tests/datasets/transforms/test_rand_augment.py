"""RandAugment: timm's levels, each operation beside Pillow's, how often what is drawn."""

import numpy as np
import pytest

pytest.importorskip('mmcv')

from PIL import Image, ImageEnhance, ImageOps

from rexdense.datasets.transforms.rand_augment import (
    OPERATIONS,
    RandAugment,
    _Setting,
    parse_policy,
)
from rexdense.errors import InvalidArgument

FILL = (124, 116, 104)
IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8))
BICUBIC = Image.Resampling.BICUBIC


def expected(name, level, increasing, sign, resample):
    """The results by the formulas of timm/data/auto_augment.py."""

    def warped(*matrix):
        return IMAGE.transform(IMAGE.size, Image.Transform.AFFINE, matrix, resample, fillcolor=FILL)

    share = level / 10
    grow = max(0.1, 1 + sign * (share * 0.9)) if increasing else share * 1.8 + 0.1
    bits, threshold = int(share * 4), int(share * 256)
    added = np.asarray(IMAGE).astype(int)
    added = np.where(added < 128, np.minimum(255, added + int(share * 110)), added)
    return {
        'AutoContrast': lambda: ImageOps.autocontrast(IMAGE),
        'Equalize': lambda: ImageOps.equalize(IMAGE),
        'Invert': lambda: ImageOps.invert(IMAGE),
        'Rotate': lambda: IMAGE.rotate(sign * (share * 30), resample=resample, fillcolor=FILL),
        'Posterize': lambda: ImageOps.posterize(IMAGE, 4 - bits if increasing else bits),
        'Solarize': lambda: ImageOps.solarize(IMAGE, 256 - threshold if increasing else threshold),
        'SolarizeAdd': lambda: Image.fromarray(added.astype(np.uint8)),
        'Color': lambda: ImageEnhance.Color(IMAGE).enhance(grow),
        'Contrast': lambda: ImageEnhance.Contrast(IMAGE).enhance(grow),
        'Brightness': lambda: ImageEnhance.Brightness(IMAGE).enhance(grow),
        'Sharpness': lambda: ImageEnhance.Sharpness(IMAGE).enhance(grow),
        'ShearX': lambda: warped(1, sign * (share * 0.3), 0, 0, 1, 0),
        'ShearY': lambda: warped(1, 0, 0, sign * (share * 0.3), 1, 0),
        'TranslateX': lambda: warped(1, 0, sign * (share * 0.45) * 50, 0, 1, 0),
        'TranslateY': lambda: warped(1, 0, 0, 0, 1, sign * (share * 0.45) * 40),
    }[name]()


@pytest.mark.parametrize('resample', [BICUBIC, Image.Resampling.BILINEAR])
@pytest.mark.parametrize('increasing', [False, True])
@pytest.mark.parametrize('level', [*range(11), 8.7])
@pytest.mark.parametrize('name', OPERATIONS)
def test_operations_are_pillows_at_timms_levels(name, level, increasing, resample, monkeypatch):
    for sign in (1, -1):
        monkeypatch.setattr(np.random, 'rand', lambda sign=sign: 0.9 if sign == 1 else 0.1)
        found = OPERATIONS[name](IMAGE, level, _Setting(increasing, FILL, resample))
        wanted = expected(name, level, increasing, sign, resample)
        assert np.array_equal(np.asarray(found), np.asarray(wanted))


def test_the_text_form_is_timms():
    policy = parse_policy('rand-m7-mstd0.5-mmax12-n3-p0.25-inc1')
    assert policy == (7, 0.5, 12, 3, 0.25, True)
    assert parse_policy('rand-m9-mstd0.5') == (9, 0.5, 10, 2, 0.5, False)
    assert np.isinf(parse_policy('rand-m9-mstd101').deviation)


@pytest.mark.parametrize('text', ['', 'rand-m9-w', 'augmix-m3', 'rand-m11', 'm9', 'rand-p2', None])
def test_another_form_shows_what_there_is(text):
    with pytest.raises(InvalidArgument, match='mstd'):
        RandAugment(text)


def test_operations_are_drawn_alike_with_replacement(monkeypatch):
    np.random.seed(0)
    drawn = []
    for name in OPERATIONS:
        monkeypatch.setitem(
            OPERATIONS, name, lambda image, level, setting, name=name: drawn.append(name) or image
        )
    augment = RandAugment('rand-m9')
    image = np.asarray(IMAGE)
    counts = []
    for _ in range(3000):
        before = len(drawn)
        augment(dict(img=image))
        counts.append(len(drawn) - before)
    # Two an image, each applied with probability 0.5.
    assert np.bincount(counts, minlength=3) / 3000 == pytest.approx([0.25, 0.5, 0.25], abs=0.03)
    shares = np.unique(drawn, return_counts=True)[1] / len(drawn)
    assert len(shares) == 15 and shares == pytest.approx(np.full(15, 1 / 15), abs=0.02)


def test_levels_are_noisy_and_cut(monkeypatch):
    np.random.seed(0)
    levels = np.array([RandAugment('rand-m9-mstd0.5')._draw_level() for _ in range(4000)])
    assert levels.max() == 10
    assert np.median(levels) == pytest.approx(9, abs=0.05)
    assert levels.std() == pytest.approx(0.48, abs=0.03)
    uniform = np.array([RandAugment('rand-m6-mstd101')._draw_level() for _ in range(4000)])
    assert uniform.mean() == pytest.approx(3, abs=0.1) and uniform.max() <= 6


def test_channels_come_back_in_their_order(monkeypatch):
    image = np.zeros((4, 4, 3), np.uint8)
    image[..., 0] = 255  # blue
    monkeypatch.setattr(np.random, 'rand', lambda: 0.0)
    augment = RandAugment('rand-m10-n1', operations=['SolarizeAdd'])
    found = augment(dict(img=image))['img']
    assert found[0, 0].tolist() == [255, 110, 110]


def test_unknown_operations_are_refused():
    with pytest.raises(InvalidArgument, match='Posterize'):
        RandAugment(operations=['Posterise'])
