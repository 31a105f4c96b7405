"""The order of pixels in memory."""

import importlib

import cv2
import numpy as np
import pytest

pytest.importorskip('mmcv')

from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS

from rexdense.datasets.images.loading import LoadImage  # noqa: F401 (its import sets mmcv's)
from rexdense.datasets.images.memory import in_order, leave_in_order

IMAGE = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


@pytest.mark.parametrize(
    'view',
    [
        IMAGE,
        np.flip(IMAGE, 1),
        np.flip(IMAGE, 0),
        np.flip(IMAGE, (0, 1)),
        IMAGE[1:4, 2:5],
        np.flip(IMAGE[1:4, 2:5], 1),
        IMAGE[..., ::-1],
        np.flip(IMAGE[..., :1], 1),
        np.flip(IMAGE[:, :1], 1),
        IMAGE[:0],
        np.flip(IMAGE.astype(np.float32), 1),
        np.flip(IMAGE.astype(np.int64), 1),
        np.flip(IMAGE[..., 0], 1),
        # A stack of masks and the frames of a video, upside down.
        np.flip(np.resize(IMAGE, (2, 3, 513)), 1),
        np.flip(np.resize(IMAGE, (2, 3, 4, 3)), 1),
    ],
)
def test_views_come_out_with_their_pixels_one_after_the_other(view):
    found = in_order(view)
    assert found.flags.c_contiguous and np.array_equal(found, view)
    assert found is view or not np.shares_memory(found, view)
    assert (found is view) == view.flags.c_contiguous


def test_an_array_that_hides_values_hides_them_still():
    image = np.ma.masked_less(IMAGE, 100)
    found = in_order(np.flip(image, 1))
    assert found.flags.c_contiguous and found.mask.flags.c_contiguous
    assert np.array_equal(found.mask, np.flip(IMAGE, 1) < 100)


class DrawnOn(BaseTransform):
    """A user's own transform, which draws into the image."""

    def transform(self, results):
        cv2.circle(results['img'], (2, 2), 1, (255, 255, 255))
        return results


@pytest.mark.parametrize('direction', ['horizontal', 'vertical', 'diagonal'])
@pytest.mark.parametrize('kind', ['mmcv', 'mmdet', 'mmseg'])
def test_transforms_in_place_go_behind_a_flip(kind, direction):
    pytest.importorskip(kind if kind != 'mmseg' else 'mmseg.datasets')
    importlib.import_module('mmcv.transforms' if kind == 'mmcv' else f'{kind}.datasets.transforms')
    flip = TRANSFORMS.build(dict(type=f'{kind}.RandomFlip', prob=1.0, direction=direction))
    results = dict(img=IMAGE.copy(), img_shape=IMAGE.shape[:2], gt_seg_map=IMAGE[..., 0].copy())
    flipped = flip(results)
    axes = dict(horizontal=1, vertical=0, diagonal=(0, 1))[direction]
    assert np.array_equal(flipped['img'], np.flip(IMAGE, axes))
    expected = np.flip(IMAGE, axes).copy()
    cv2.circle(expected, (2, 2), 1, (255, 255, 255))
    assert np.array_equal(DrawnOn()(flipped)['img'], expected)


def test_colours_change_behind_a_flip_as_before_it():
    pytest.importorskip('mmdet')
    importlib.import_module('mmdet.datasets.transforms')
    flip = TRANSFORMS.build(dict(type='mmdet.RandomFlip', prob=1.0))
    colours = TRANSFORMS.build(dict(type='mmdet.YOLOXHSVRandomAug'))

    image = dict(img=IMAGE.copy(), img_shape=IMAGE.shape[:2])
    turned = flip({**image, 'img': IMAGE.copy()})
    np.random.seed(1)
    changed = colours(image)['img']
    np.random.seed(1)
    assert np.array_equal(colours(turned)['img'], np.flip(changed, 1))
    assert not np.array_equal(changed, IMAGE)


def test_transforms_are_changed_once():
    before = BaseTransform.__call__
    leave_in_order()
    assert BaseTransform.__call__ is before
