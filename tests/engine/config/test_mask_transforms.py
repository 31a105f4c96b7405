"""Transforms of mmdet beside masks: what is refused, and that what is said to do instead works."""

import json
import shutil

import pytest

pytest.importorskip('mmdet')

from mmdet.datasets import transforms
from mmengine.config import ConfigDict
from mmengine.registry import DATASETS, DefaultScope

from rexdense.cli import browse
from rexdense.engine.config.data_root import use_data_root
from rexdense.engine.config.load import load_config, set_scale
from rexdense.engine.config.mask_transforms import require_masks_that_follow
from rexdense.engine.scope import import_scope
from rexdense.errors import InvalidArgument
from tests.tiny_run import MASK_CONFIG, ROOT


class OtherMixUp:
    """A transform of another project, which moves masks."""


OtherMixUp.__name__ = 'MixUp'


def loader_of(*steps, mixed=(), **loading):
    dataset = dict(pipeline=[dict(type='mmdet.LoadAnnotations', **loading), *steps])
    if mixed:
        dataset = dict(type='MultiImageMixDataset', dataset=dataset, pipeline=list(mixed))
    return ConfigDict(dataset=dataset)


@pytest.mark.parametrize(
    ('loader', 'advice'),
    [
        (loader_of(mixed=[dict(type='Mosaic')], with_mask=True), 'use CachedMosaic'),
        (loader_of(mixed=[dict(type='mmdet.MixUp')], with_mask=True), 'use CachedMixUp'),
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
            'use CachedMixUp',
        ),
        (loader_of(dict(type=transforms.Mosaic), with_mask=True), 'use CachedMosaic'),
    ],
)
def test_what_leaves_masks_behind(loader, advice):
    with pytest.raises(InvalidArgument, match=advice):
        require_masks_that_follow(loader)


@pytest.mark.parametrize(
    'loader',
    [
        loader_of(dict(type='RandomShift'), mixed=[dict(type='Mosaic')], with_bbox=True),
        loader_of(mixed=[dict(type='CopyPaste', paste_by_box=True)], with_bbox=True),
        loader_of(dict(type='CachedMosaic', img_scale=(64, 48)), with_bbox=True),
        loader_of(dict(type='Expand'), dict(type='CachedMixUp'), with_mask=True),
        loader_of(dict(type='CachedMosaic'), with_mask=True, poly2mask=False),
        loader_of(dict(type='other.Mosaic'), dict(type=OtherMixUp), with_mask=True),
        loader_of(dict(type='LoadPanopticAnnotations'), mixed=[dict(type='CopyPaste')]),
        loader_of(dict(type='LoadPanopticAnnotations', with_mask=False), dict(type='Mosaic')),
        ConfigDict(),
    ],
)
def test_what_fits(loader):
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
        *((dict(type=kind, **SQUARE), False) for kind in ('CachedMosaic', 'CachedMixUp')),
        *((dict(type=kind, **SQUARE), True) for kind in ('CachedMosaic', 'CachedMixUp')),
    ],
)
def test_what_is_advised_keeps_a_mask_for_each_box(step, polygons, outlines):
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
