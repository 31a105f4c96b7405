"""The pictures of Shapes and their ground truth, as arrays."""

import hashlib
import math

import numpy as np
import pytest

from rexdense.datasets.shapes import (
    CROP_SIZE,
    SHAPE_CLASSES,
    SPLITS,
    UNITS_PER_METRE,
    draw_crop,
    draw_scene,
)
from rexdense.datasets.shapes.outlines import OUTLINE_REACH, OUTLINES, SUBSAMPLES, Outline
from rexdense.datasets.shapes.scene import LEAST_VISIBLE_PIXELS, MOST_OBJECTS
from rexdense.datasets.shapes.textures import FARTHEST, NEAREST, ground_depth

# Of all arrays of the first pictures and crops, on x86-64 with numpy 2.4. If it differs elsewhere,
# the promise of equal pixels on every machine is broken; if the drawing was changed on purpose,
# writing.VERSION must be raised with it.
DIGEST = '575e7fc1ee1d0bf2f7bd47b1722ff4800bd2e71a8a747b142d958b892c7700b2'


def digest_of_first_pictures() -> str:
    digest = hashlib.sha256()
    for split in SPLITS:
        for index in range(3):
            scene = draw_scene(0, split, index)
            for array in (scene.image, scene.instances, scene.semantic, scene.depth.astype('<u2')):
                digest.update(array.tobytes())
            for class_name in SHAPE_CLASSES:
                digest.update(draw_crop(0, split, class_name, index).tobytes())
    digest.update(draw_scene(2**32 - 1, 'val', 999_998, 97, 131).image.tobytes())
    return digest.hexdigest()


@pytest.fixture(scope='module')
def scenes():
    return [draw_scene(3, 'train', index, 120, 160) for index in range(60)]


def test_pixels_are_the_same_on_every_machine():
    assert digest_of_first_pictures() == DIGEST


def test_pictures_do_not_depend_on_each_other():
    in_order = [draw_scene(0, 'val', index, 48, 64) for index in range(4)]
    backwards = [draw_scene(0, 'val', index, 48, 64) for index in reversed(range(4))][::-1]
    for one, other in zip(in_order, backwards, strict=True):
        np.testing.assert_array_equal(one.image, other.image)


def test_seed_split_and_index_each_change_the_picture():
    keys = [(0, 'train', 0), (1, 'train', 0), (0, 'val', 0), (0, 'train', 1)]
    images = {draw_scene(*key, 64, 64).image.tobytes() for key in keys}
    crops = {draw_crop(*key[:2], 'star', key[2]).tobytes() for key in keys}
    assert len(images) == len(crops) == len(keys)


@pytest.mark.parametrize(
    ('height', 'width'), [(32, 32), (160, 160), (65, 97), (32, 300), (300, 32)]
)
def test_arrays_have_the_promised_form(height, width):
    scene = draw_scene(0, 'train', 0, height, width)
    assert scene.image.shape == (height, width, 3) and scene.image.dtype == np.uint8
    for array, kind in ((scene.instances, 'u1'), (scene.semantic, 'u1'), (scene.depth, 'u2')):
        assert array.shape == (height, width) and array.dtype == kind


def test_every_object_is_seen(scenes):
    for scene in scenes:
        assert 1 <= len(scene.class_indices) <= MOST_OBJECTS
        seen = np.bincount(scene.instances.ravel(), minlength=len(scene.class_indices) + 1)
        assert len(seen) == len(scene.class_indices) + 1
        assert seen[1:].min() >= LEAST_VISIBLE_PIXELS


def test_labels_are_the_classes_of_the_instances(scenes):
    for scene in scenes:
        expected = np.zeros_like(scene.semantic)
        for number, class_index in enumerate(scene.class_indices, start=1):
            expected[scene.instances == number] = class_index + 1
        np.testing.assert_array_equal(scene.semantic, expected)


def test_depth_follows_the_drawing_order(scenes):
    for scene in scenes:
        height, width = scene.depth.shape
        rows = np.arange(height) + 0.5
        ground = np.round(ground_depth(rows, height) * UNITS_PER_METRE)[:, None].repeat(
            width, axis=1
        )
        on_ground = scene.instances == 0
        np.testing.assert_array_equal(scene.depth[on_ground], ground[on_ground])
        assert (scene.depth[~on_ground] < ground[~on_ground]).all()
        objects = [
            np.unique(scene.depth[scene.instances == n + 1]) for n in range(scene.instances.max())
        ]
        assert all(len(depths) == 1 for depths in objects), 'an object is a board of one depth'
        assert (np.diff(np.concatenate(objects).astype(int)) < 0).all(), 'later ones are nearer'


def test_ground_depth_runs_between_its_ends():
    depths = ground_depth(np.arange(161), 160)
    assert depths[0] == pytest.approx(FARTHEST) and depths[-1] == pytest.approx(NEAREST)
    # 1 / depth is linear in the row: what makes it a plane.
    np.testing.assert_allclose(np.diff(1 / depths, n=2), 0, atol=1e-12)


@pytest.mark.parametrize('degrees', [0, 30, 90, 217])
@pytest.mark.parametrize(
    ('class_name', 'area'),
    [
        ('circle', math.pi),
        ('square', 1.7**2),
        ('triangle', 1.9**2 / 2),
        ('ring', 0.7 * math.pi),
        ('cross', 4 * 0.6 - 0.6**2),
    ],
)
def test_outlines_cover_their_area(class_name, area, degrees):
    outline = Outline(SHAPE_CLASSES.index(class_name), 64.3, 59.8, 40, 30, degrees)
    raster = outline.rasterize(128, 128)
    assert raster.coverage.sum() / SUBSAMPLES**2 == pytest.approx(area * 40 * 30, rel=0.01)
    assert raster.mask.sum() == pytest.approx(area * 40 * 30, rel=0.02)


def test_star_has_five_arms():
    angles = np.radians(np.arange(360) + 0.5)
    inside = OUTLINES['star'](0.8 * np.cos(angles), 0.8 * np.sin(angles))
    assert (inside != np.roll(inside, 1)).sum() == 10
    np.testing.assert_array_equal(inside, np.roll(inside, 72))


@pytest.mark.parametrize('degrees', [0, 90, 180, 270])
def test_outlines_turn_clockwise(degrees):
    triangle = Outline(SHAPE_CLASSES.index('triangle'), 32, 32, 20, 20, degrees).rasterize(64, 64)
    upright = Outline(SHAPE_CLASSES.index('triangle'), 32, 32, 20, 20, 0).rasterize(64, 64)

    def on_canvas(raster):
        canvas = np.zeros((64, 64), int)
        canvas[raster.rows, raster.columns] = raster.coverage
        return canvas

    np.testing.assert_array_equal(on_canvas(triangle), np.rot90(on_canvas(upright), -degrees // 90))


@pytest.mark.parametrize('class_name', SHAPE_CLASSES)
def test_outlines_stay_in_reach(class_name):
    u, v = np.meshgrid(np.linspace(-1.5, 1.5, 301), np.linspace(-1.5, 1.5, 301))
    inside = OUTLINES[class_name](u, v)
    assert 0.9 <= np.hypot(u, v)[inside].max() <= OUTLINE_REACH


@pytest.mark.parametrize('class_name', SHAPE_CLASSES)
def test_crops_have_the_promised_form(class_name):
    crop = draw_crop(0, 'train', class_name, 0)
    assert crop.shape == (CROP_SIZE, CROP_SIZE, 3) and crop.dtype == np.uint8


@pytest.fixture(scope='module')
def colors_and_classes():
    """The mean visible colour and the class of each object of many pictures."""
    colors, classes = [], []
    for index in range(250):
        scene = draw_scene(11, 'train', index, 80, 80)
        for number, class_index in enumerate(scene.class_indices, start=1):
            colors.append(scene.image[scene.instances == number].mean(axis=0))
            classes.append(class_index)
    return np.array(colors), np.array(classes)


def same_class_as_most_similar_color(colors, classes) -> float:
    """Share of objects whose nearest in colour is of the same class."""
    distances = np.square(colors[:, None] - colors[None, :]).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    return float((classes[distances.argmin(axis=1)] == classes).mean())


@pytest.mark.parametrize('shift', [0, 60])
def test_colors_give_no_class_away(colors_and_classes, shift):
    colors, classes = colors_and_classes
    shares = np.bincount(classes) / len(classes)
    by_chance = np.square(shares).sum()
    limit = by_chance + 4 * math.sqrt(by_chance * (1 - by_chance) / len(classes))
    # The second case proves that the measure would notice: there, classes differ in brightness.
    measured = same_class_as_most_similar_color(colors + shift * classes[:, None], classes)
    assert (measured > limit) == (shift > 0)


def test_class_colors_have_equal_means(colors_and_classes):
    colors, classes = colors_and_classes
    standard_error = colors.std(axis=0) * np.sqrt(1 / np.bincount(classes))[:, None]
    means = np.array([colors[classes == c].mean(axis=0) for c in range(len(SHAPE_CLASSES))])
    assert (np.abs(means - colors.mean(axis=0)) < 4 * standard_error).all()


def test_classes_are_equally_frequent(colors_and_classes):
    _, classes = colors_and_classes
    counts = np.bincount(classes, minlength=len(SHAPE_CLASSES))
    # Star and cross are thin, so a few more of them are left out as hidden.
    assert counts.min() > 0.75 * counts.mean() and counts.max() < 1.25 * counts.mean()
