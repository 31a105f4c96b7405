"""Random erasing, colour jitter and lighting noise by their statistics."""

import numpy as np
import pytest

pytest.importorskip('mmcv')

from PIL import Image, ImageEnhance

from rexdense.datasets.transforms import ColorJitter, Lighting, RandomErasing
from rexdense.datasets.transforms.noise import adjust
from rexdense.errors import InvalidArgument

IMAGE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)


def test_the_share_of_erased_images_and_their_areas():
    np.random.seed(0)
    erase = RandomErasing(0.3, 'const', area=(0.1, 0.2), mean=(1, 2, 3))
    blank = np.full((100, 100, 3), 9, np.uint8)
    shares = []
    for _ in range(2000):
        found = erase(dict(img=blank))['img']
        shares.append((found != blank).any(-1).mean())
        assert (found == 9).all(-1).sum() + (found == (1, 2, 3)).all(-1).sum() == 100**2
    shares = np.array(shares)
    assert (shares > 0).mean() == pytest.approx(0.3, abs=0.03)
    assert shares[shares > 0].min() > 0.09 and shares.max() < 0.21
    assert (blank == 9).all()


def test_erased_pixels_are_normal_noise_after_normalisation():
    np.random.seed(0)
    erase = RandomErasing(1.0, 'pixel', area=(0.9, 0.95), ratio=1.0)
    image = np.full((300, 300, 3), 255, np.uint8)
    found = erase(dict(img=image))['img']
    rows = (found != 255).any((1, 2))
    columns = (found != 255).any((0, 2))
    patch = (found[rows][:, columns] - erase.mean) / erase.std
    assert patch.mean((0, 1)) == pytest.approx([0, 0, 0], abs=0.03)
    # Cut at 0 and 255, about two deviations away.
    assert patch.std((0, 1)) == pytest.approx([0.95, 0.95, 0.95], abs=0.04)


@pytest.mark.parametrize('factor', [0.6, 1.0, 1.4])
@pytest.mark.parametrize(
    ('what', 'kind'),
    [
        ('brightness', ImageEnhance.Brightness),
        ('contrast', ImageEnhance.Contrast),
        ('saturation', ImageEnhance.Color),
    ],
)
def test_colours_change_as_in_pillow_within_rounding(what, kind, factor):
    wanted = np.asarray(kind(Image.fromarray(IMAGE[..., ::-1])).enhance(factor))[..., ::-1]
    assert abs(adjust(IMAGE, what, factor).astype(int) - wanted).max() <= 1


def test_jitter_draws_factors_from_its_range(monkeypatch):
    np.random.seed(0)
    grey = np.full((2, 2, 3), 100, np.uint8)
    jitter = ColorJitter(brightness=0.4, contrast=0, saturation=0)
    values = np.array([jitter(dict(img=grey))['img'][0, 0, 0] for _ in range(2000)])
    assert values.min() >= 60 and values.max() <= 140
    assert values.mean() == pytest.approx(100, abs=1.5)


def test_lighting_shifts_whole_images_by_the_components_covariance():
    np.random.seed(0)
    grey = np.full((2, 2, 3), 128, np.uint8)
    light = Lighting(0.1)
    shifts = np.array([light(dict(img=grey))['img'][0, 0] for _ in range(5000)], float) - 128
    spread = light.EIGENVECTORS @ np.diag(0.1 * light.EIGENVALUES) ** 2 @ light.EIGENVECTORS.T
    # Rounding adds a twelfth to each variance.
    wanted = spread[::-1, ::-1] + np.eye(3) / 12
    assert np.cov(shifts.T) == pytest.approx(wanted, rel=0.08, abs=0.6)


@pytest.mark.parametrize(
    'make',
    [
        lambda: RandomErasing(1.5),
        lambda: RandomErasing(mode='noise'),
        lambda: RandomErasing(area=(0.5, 0.1)),
        lambda: ColorJitter(brightness=2),
        lambda: Lighting(-1),
        lambda: Lighting('0.1'),
    ],
)
def test_wrong_arguments_are_refused(make):
    with pytest.raises(InvalidArgument):
        make()
