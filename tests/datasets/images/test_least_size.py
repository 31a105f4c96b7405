"""Strips of a pixel or two go through the pipelines."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('mmcv')

import mmcv
from mmengine.dataset import Compose

import rexdense.datasets.images.loading  # noqa: F401

STRIPS = {'long': (3000, 2), 'tall': (2, 3000), 'dot': (1, 1), 'line': (640, 1), 'column': (1, 480)}
strips = pytest.mark.parametrize(('width', 'height'), STRIPS.values(), ids=STRIPS)


def written(tmp_path, width, height):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'strip.png')
    return str(tmp_path / 'strip.png')


def scaled(width, height, scale=64):
    factor = scale / max(width, height)
    return max(1, int(height * factor + 0.5)), max(1, int(width * factor + 0.5))


@strips
def test_images_and_label_maps(tmp_path, width, height):
    labels = np.ones((height, width), np.uint8)
    Image.fromarray(labels).save(tmp_path / 'labels.png')
    sample = dict(
        img_path=written(tmp_path, width, height),
        seg_map_path=str(tmp_path / 'labels.png'),
        num_classes=2,
        ignore_index=255,
        seg_fields=[],
    )
    steps = [
        dict(type='rexdense.LoadImage'),
        dict(type='rexdense.LoadSegmentationAnnotations'),
        dict(type='mmcv.Resize', scale=(64, 64), keep_ratio=True),
    ]
    result = Compose(steps)(sample)
    assert result['img'].shape[:2] == result['gt_seg_map'].shape == scaled(width, height)
    assert (result['gt_seg_map'] == 1).all()
    steps[2] = dict(type='mmcv.RandomResize', scale=(64, 64), ratio_range=(0.5, 2.0))
    steps[2].update(resize_type='mmcv.Resize', keep_ratio=True)
    result = Compose(steps)(sample | dict(seg_fields=[]))
    assert min(result['img'].shape) > 0


@strips
def test_boxes_and_masks(tmp_path, width, height):
    pytest.importorskip('mmdet')
    box = [0, 0, width, height]
    polygon = np.array([0.0, 0, width, 0, width, height, 0, height])
    sample = dict(
        img_path=written(tmp_path, width, height),
        height=height,
        width=width,
        instances=[dict(bbox=box, bbox_label=0, ignore_flag=0, mask=[polygon.tolist()])],
    )
    for poly2mask in (True, False):
        steps = [
            dict(type='rexdense.LoadImage'),
            dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True, poly2mask=poly2mask),
            dict(type='mmdet.Resize', scale=(64, 64), keep_ratio=True),
        ]
        result = Compose(steps)(sample)
        size = scaled(width, height)
        assert result['img_shape'] == result['img'].shape[:2] == size
        assert (result['gt_masks'].height, result['gt_masks'].width) == size
        assert result['gt_bboxes'].tensor.tolist() == [[0, 0, size[1], size[0]]]


def test_sizes_that_mmcv_can_scale_stay():
    sizes = np.random.default_rng(1).integers(40, 3000, (500, 2)).tolist()
    for width, height in sizes:
        factor = min(640 / max(width, height), 480 / min(width, height))
        expected = int(width * factor + 0.5), int(height * factor + 0.5)
        assert mmcv.rescale_size((width, height), (640, 480)) == expected
