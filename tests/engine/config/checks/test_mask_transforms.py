"""Transforms of mmdet beside masks: what is refused, and that what is said to do instead works."""

import json
import random
import shutil

import numpy as np
import pytest
import torch

pytest.importorskip('mmdet')

from mmdet.datasets import transforms
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks, PolygonMasks
from mmengine.config import ConfigDict
from mmengine.registry import DATASETS, DefaultScope

from rexdense.cli import browse
from rexdense.engine.config.checks.mask_transforms import require_masks_that_follow
from rexdense.engine.config.data_root import use_data_root
from rexdense.engine.config.load import load_config, set_scale
from rexdense.engine.scope import import_scope
from rexdense.errors import InvalidArgument
from tests.tiny_run import MASK_CONFIG, ROOT


class OtherMixUp:
    """A transform of another project, which moves masks."""


OtherMixUp.__name__ = 'MixUp'


CUT, PADDED = dict(type='RandomCrop', crop_size=(64, 64)), dict(type='Pad', size=(64, 64))
MIXED = dict(type='CachedMixUp', img_scale=(64, 64), ratio_range=(1.0, 1.0))


def loader_of(*steps, mixed=(), **loading):
    dataset = dict(pipeline=[dict(type='mmdet.LoadAnnotations', **loading), *steps])
    if mixed:
        dataset = dict(type='MultiImageMixDataset', dataset=dataset, pipeline=list(mixed))
    return ConfigDict(dataset=dataset)


@pytest.mark.parametrize(
    ('loader', 'advice'),
    [
        (loader_of(mixed=[dict(type='Mosaic')], with_mask=True), 'use CachedMosaic'),
        (loader_of(mixed=[dict(type='mmdet.MixUp')], with_mask=True), 'use CopyPaste'),
        (loader_of(dict(type='CachedMixUp'), with_mask=True), 'use CopyPaste or CachedMosaic'),
        *(
            (loader_of(*steps, with_mask=True), r'or give it ratio_range=\(1\.0, 1\.0\) after')
            for steps in (
                (CUT, PADDED, MIXED | dict(ratio_range=(0.5, 1.5))),
                (CUT, PADDED, MIXED | dict(ratio_range=1.0)),
                (CUT, PADDED, MIXED | dict(img_scale=64)),
                (CUT, MIXED),
                (PADDED, MIXED),
                (CUT, PADDED | dict(size=(64, 48)), MIXED),
                (CUT, PADDED, dict(type='Resize', scale=(48, 64)), MIXED),
                (CUT, dict(type='Resize', scale=(90, 90)), PADDED, MIXED),
                (CUT, dict(type='Expand'), PADDED, MIXED),
                (dict(type='RandomApply', transforms=[CUT], prob=0.1), PADDED, MIXED),
                (CUT, dict(type='RandomApply', transforms=[PADDED], prob=0.1), MIXED),
                (CUT | dict(crop_type='relative_range'), PADDED, MIXED),
            )
        ),
        (loader_of(dict(type='RandomShift'), with_mask=True), 'use TranslateX'),
        (
            loader_of(
                dict(type='RandomApply', transforms=[dict(type='RandomAffine')]), with_mask=True
            ),
            'use Rotate',
        ),
        (loader_of(dict(type='RandomCenterCropPad'), with_mask=True), 'use RandomCrop and Pad'),
        (
            loader_of(dict(type='CachedMosaic', img_scale=(64, 48)), with_mask=True),
            'CachedMosaic img_scale=.*give a square',
        ),
        (
            loader_of(dict(type='Expand'), with_mask=True, poly2mask=False),
            'leave poly2mask=False out',
        ),
        (loader_of(mixed=[dict(type='CopyPaste')]), 'paste_by_box=True, or'),
        (
            loader_of(dict(type='mmdet.LoadPanopticAnnotations'), dict(type='MixUp')),
            'use CopyPaste',
        ),
        (loader_of(dict(type=transforms.Mosaic), with_mask=True), 'use CachedMosaic'),
    ],
)
def test_transforms_that_do_not_move_masks_are_refused(loader, advice):
    with pytest.raises(InvalidArgument, match=advice):
        require_masks_that_follow(loader)


@pytest.mark.parametrize(
    'loader',
    [
        loader_of(dict(type='RandomShift'), mixed=[dict(type='Mosaic')], with_bbox=True),
        loader_of(mixed=[dict(type='CopyPaste', paste_by_box=True)], with_bbox=True),
        loader_of(dict(type='CachedMosaic', img_scale=(64, 48)), with_bbox=True),
        loader_of(dict(type='CachedMixUp'), with_bbox=True),
        loader_of(CUT, dict(type='RandomFlip'), PADDED, MIXED, with_mask=True),
        loader_of(
            *(dict(type='mmdet.RandomCrop', crop_size=[64, 64]), PADDED),
            MIXED | dict(img_scale=[64, 64], ratio_range=[1, 1]),
            with_mask=True,
        ),
        loader_of(dict(type='CachedMosaic'), with_mask=True, poly2mask=False),
        loader_of(dict(type='other.Mosaic'), dict(type=OtherMixUp), with_mask=True),
        loader_of(dict(type='LoadPanopticAnnotations'), mixed=[dict(type='CopyPaste')]),
        loader_of(dict(type='LoadPanopticAnnotations', with_mask=False), dict(type='Mosaic')),
        ConfigDict(),
    ],
)
def test_transforms_that_move_masks_pass(loader):
    require_masks_that_follow(loader)


@pytest.fixture(scope='module')
def outlines(shapes, tmp_path_factory):
    """The Shapes with a polygon around each object, instead of run lengths."""
    folder = shutil.copytree(shapes, tmp_path_factory.mktemp('data') / 'outlines')
    path = folder / 'annotations/train.json'
    content = json.loads(path.read_text())
    for each in content['annotations']:
        x, y, width, height = each['bbox']
        right, bottom = x + width, y + height
        each['segmentation'] = [[x, y, right, y, right, bottom, x, bottom]]
    path.write_text(json.dumps(content))
    return folder


def mask_dataset(shapes, step, polygons=False):
    """The training data of a mask config with a step before its last one, which packs."""
    config = load_config(ROOT / MASK_CONFIG)
    options = browse.parser().parse_args([str(ROOT / MASK_CONFIG), '--data-root', str(shapes)])
    use_data_root(config, options, True)
    set_scale(config, (64, 64))
    dataset = config.train_dataloader.dataset
    *steps, pack = dataset.pipeline
    steps[1].poly2mask = not polygons
    dataset.pipeline = [*steps, pack]
    if step['type'] in ('Mosaic', 'CopyPaste'):
        dataset.pipeline = steps
        dataset = dict(type='MultiImageMixDataset', dataset=dataset, pipeline=[step, pack])
    else:
        dataset.pipeline = [*steps, step, pack]
    import_scope(config)
    with DefaultScope.overwrite_default_scope('mmdet'):
        return ConfigDict(dataset=dataset), DATASETS.build(dataset)


SQUARE = dict(img_scale=(64, 64), max_cached_images=6)


@pytest.mark.parametrize(
    ('step', 'polygons'),
    [
        (dict(type='CopyPaste'), False),
        (dict(type='CachedMosaic', **SQUARE), False),
        (dict(type='CachedMosaic', **SQUARE), True),
    ],
)
def test_advised_pipelines_keep_a_mask_for_each_box(step, polygons, outlines):
    loader, dataset = mask_dataset(outlines, step, polygons)
    require_masks_that_follow(loader)
    objects = 0
    for index in range(12):
        packed = dataset[index % len(dataset)]
        found = packed['data_samples'].gt_instances
        assert len(found.masks) == len(found.bboxes)
        size = tuple(packed['inputs'].shape[1:])
        assert (found.masks.height, found.masks.width) == size
        objects += len(found.bboxes)
    assert objects


def test_mosaic_would_not(shapes):
    """What the refusal rests on: mmdet fails at the first image."""
    loader, dataset = mask_dataset(shapes, dict(type='Mosaic', img_scale=(64, 64)))
    with pytest.raises(InvalidArgument):
        require_masks_that_follow(loader)
    with pytest.raises(IndexError):
        dataset[0]


def test_cached_mosaic_of_no_square_would_not(shapes):
    step = dict(type='CachedMosaic', img_scale=(64, 48), max_cached_images=6)
    _, dataset = mask_dataset(shapes, step)
    packed = [dataset[index % len(dataset)] for index in range(6)][-1]
    masks = packed['data_samples'].gt_instances.masks
    assert (masks.height, masks.width) == tuple(packed['inputs'].shape[:0:-1])


def rectangles(draw, polygons, one_size):
    """An image, wide or high, with three rectangles in its middle, as boxes and as masks."""
    height, width = (48, 64) if one_size or draw.random() < 0.5 else (64, 48)
    boxes, outlines, bitmaps = [], [], np.zeros((3, height, width), np.uint8)
    for bitmap in bitmaps:
        left, top = draw.randint(width // 4, width // 2), draw.randint(height // 4, height // 2)
        right, bottom = left + draw.randint(6, width // 4), top + draw.randint(6, height // 4)
        boxes.append([left, top, right, bottom])
        corners = [left, top, right, top, right, bottom, left, bottom]
        outlines.append([np.array(corners, np.float64)])
        bitmap[top:bottom, left:right] = 1
    return dict(
        img=np.zeros((height, width, 3), np.uint8),
        img_shape=(height, width),
        gt_bboxes=HorizontalBoxes(torch.tensor(boxes, dtype=torch.float32)),
        gt_bboxes_labels=np.arange(3),
        gt_ignore_flags=np.zeros(3, bool),
        gt_masks=(
            PolygonMasks(outlines, height, width)
            if polygons
            else BitmapMasks(bitmaps, height, width)
        ),
    )


def farthest(steps, polygons=False, one_size=False):
    """How far, in pixels, a mask reaches beyond its box, or stays behind, at most."""
    random.seed(0)
    np.random.seed(0)
    draw, built, distances = random.Random(0), [TRANSFORMS.build(step) for step in steps], []
    for _ in range(60):
        results = rectangles(draw, polygons, one_size)
        results['mix_results'] = [rectangles(draw, polygons, one_size)]
        for transform in built:
            results = results and transform(results)
        if results is None:
            continue
        boxes, masks = results['gt_bboxes'].tensor, results['gt_masks']
        assert len(boxes) == len(masks) == len(results['gt_bboxes_labels'])
        assert (masks.height, masks.width) == results['img'].shape[:2]
        hulls = masks.get_bboxes('hbox').tensor
        # What a border has cut to a line has no pixel.
        seen = (boxes[:, 2:] - boxes[:, :2]).amin(1) >= 3
        distances += (boxes - hulls).abs().amax(1)[seen].tolist()
    assert len(distances) > 100
    return max(distances)


FOLLOWING = {
    'mosaic': [dict(type='CachedMosaic', **SQUARE)],
    'mix-up of cut and padded images': [
        dict(type='Resize', scale=(80, 80), keep_ratio=True),
        *(CUT, PADDED, MIXED),
    ],
    'rotation': [dict(type='Rotate', prob=1.0, max_mag=20.0)],
    'shear': [dict(type=kind, prob=1.0, max_mag=10.0) for kind in ('ShearX', 'ShearY')],
    'shift': [dict(type=kind, prob=1.0) for kind in ('TranslateX', 'TranslateY')],
    'crop': [dict(type='RandomCrop', crop_size=(40, 40)), dict(type='Pad', size=(64, 48))],
    'flip': [
        dict(type='RandomFlip', prob=0.9, direction=['horizontal', 'vertical', 'diagonal']),
        dict(type='Resize', scale=(90, 50), keep_ratio=False),
    ],
}


@pytest.mark.parametrize('polygons', [False, True])
@pytest.mark.parametrize('name', FOLLOWING)
def test_masks_follow_their_boxes(name, polygons):
    steps = FOLLOWING[name]
    require_masks_that_follow(loader_of(*steps, with_mask=True, poly2mask=not polygons))
    assert farthest(steps, polygons) <= 2.5


def test_bitmaps_follow_their_boxes():
    assert farthest([dict(type='CopyPaste')], one_size=True) <= 2.5
    assert farthest([dict(type='Expand')]) <= 2.5


@pytest.mark.parametrize(
    ('step', 'polygons'),
    [
        (MIXED | dict(ratio_range=(1.2, 1.5)), False),
        (MIXED | dict(flip_ratio=0.0), False),
        (MIXED | dict(flip_ratio=0.0), True),
    ],
)
def test_other_mix_up_would_not(step, polygons):
    """What the refusal rests on: masks that are cut off, and mirrored elsewhere."""
    with pytest.raises(InvalidArgument, match='CachedMixUp of mmdet cuts masks off'):
        require_masks_that_follow(loader_of(step, with_mask=True, poly2mask=not polygons))
    assert farthest([step], polygons) > 5


@pytest.mark.parametrize(
    'steps',
    [
        (CUT, dict(type='Expand', prob=1.0), PADDED, MIXED),
        (
            dict(type='Resize', scale=(120, 120), keep_ratio=True),
            dict(
                type='mmcv.RandomApply', transforms=[CUT | dict(type='mmdet.RandomCrop')], prob=0.1
            ),
            *(PADDED, MIXED),
        ),
    ],
)
def test_mix_up_would_not_after_a_crop_of_some_images(steps):
    with pytest.raises(InvalidArgument, match='no step between that changes sizes'):
        require_masks_that_follow(loader_of(*steps, with_mask=True))
    assert farthest(steps) > 5
