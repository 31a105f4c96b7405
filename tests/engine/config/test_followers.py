"""Values of a model that follow its backbone, in every kind of config."""

import math
from pathlib import Path

import pytest

pytest.importorskip('mmdet')

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from rexdense.arch import channels
from rexdense.engine.config.followers import follow_pyramid_channels, follow_strides
from rexdense.engine.config.load import load_config
from rexdense.engine.config.override import override
from rexdense.engine.scope import import_scope
from rexdense.errors import InvalidArgument
from rexdense.registry import MODELS
from tests.tiny_run import CONFIG, ROOT, SEGMENTATION_CONFIG

SIZE = 256
SEMANTIC_FPN = 'configs/semantic_fpn/semantic-fpn_rexnet-1.0_80k_cityscapes.py'
DEEPLAB = 'configs/deeplabv3plus/deeplabv3plus_rexnet-1.0-d16_80k_cityscapes.py'
DEPTH = 'configs/depth/unet_rexnet-1.0_custom.py'
DEMO = 'configs/rexnet/faster-rcnn_rexnet-1.0_fpn_demo_shapes.py'
RETINA = dict(
    type='mmdet.RetinaNet',
    backbone=dict(type='rexdense.ReXNet', arch='rexnet_1.0'),
    neck=dict(
        type='mmdet.FPN',
        in_channels=channels('rexnet_1.0'),
        out_channels=8,
        start_level=1,
        add_extra_convs='on_input',
        num_outs=5,
    ),
    bbox_head=dict(
        type='mmdet.RetinaHead',
        num_classes=2,
        in_channels=8,
        stacked_convs=1,
        feat_channels=8,
        anchor_generator=dict(
            type='mmdet.AnchorGenerator',
            octave_base_scale=4,
            scales_per_octave=3,
            ratios=[0.5, 1.0, 2.0],
            strides=[8, 16, 32, 64, 128],
        ),
    ),
)
FCOS = RETINA | dict(
    type='mmdet.FCOS',
    bbox_head=dict(
        type='mmdet.FCOSHead',
        num_classes=2,
        in_channels=8,
        stacked_convs=1,
        feat_channels=32,
        strides=[8, 16, 32, 64, 128],
    ),
)

# A head on the backbone itself, which reads its levels by their numbers.
SEGFORMER = dict(
    default_scope='mmseg',
    model=dict(
        type='mmseg.EncoderDecoder',
        backbone=dict(type='rexdense.ReXNet', arch='rexnet_1.0'),
        decode_head=dict(
            type='mmseg.SegformerHead',
            in_channels=channels('rexnet_1.0'),
            in_index=[0, 1, 2, 3],
            channels=8,
            num_classes=2,
        ),
    ),
)


def build(config):
    """The model in evaluation mode; its tensors have shapes and no values."""
    for section in (config.model.backbone, config.model):
        section.init_cfg = None
    import_scope(config)
    scope = DefaultScope.overwrite_default_scope(config.get('default_scope', 'mmdet'))
    with scope, torch.device('meta'):
        return MODELS.build(config.model).eval()


def real_strides(model):
    with torch.no_grad():
        features = model.extract_feat(torch.zeros(1, 3, SIZE, SIZE, device='meta'))
    return [SIZE / feature.shape[-1] for feature in features]


@pytest.fixture
def load(fresh_mmengine):
    def load(source, changes=None):
        config = load_config(ROOT / source) if isinstance(source, str) else Config(dict(source))
        override(config, changes or {})
        said = follow_strides(config.model)
        return config, said

    return load


@pytest.mark.parametrize(
    ('changes', 'strides'),
    [
        ({}, [4, 8, 16, 32, 64]),
        ({'model.backbone.out_indices': [2, 3, 4]}, [8, 16, 32, 64, 128]),
        ({'model.backbone.out_indices': [0, 1, 2, 3, 4]}, [2, 4, 8, 16, 32]),
        ({'model.backbone.out_indices': [1, 2, 3]}, [4, 8, 16, 32, 64]),
        ({'model.backbone.out_indices': [-2, -1]}, [16, 32, 64, 128, 256]),
        ({'model.backbone.output_stride': 16}, [4, 8, 16, 16, 32]),
        ({'model.backbone.output_stride': 8}, [4, 8, 8, 8, 16]),
        ({'model.neck.start_level': 1, 'model.neck.num_outs': 4}, [8, 16, 32, 64]),
        ({'model.neck.num_outs': 3}, [4, 8, 16, 32]),
    ],
)
def test_strides_under_a_pyramid(load, changes, strides):
    config, said = load(CONFIG, changes)
    model = build(config)
    assert [stride for stride, _ in model.rpn_head.prior_generator.strides] == strides
    assert real_strides(model) == strides
    extractor = model.roi_head.bbox_roi_extractor
    assert extractor.featmap_strides == strides[:4]
    # Objects of a size stay on the level of one stride.
    assert extractor.finest_scale == 28 * strides[0] // 4
    assert bool(said) == (strides != [4, 8, 16, 32, 64])


def test_strides_of_the_demo(load):
    """Four levels, three of which RoIAlign reads."""
    config, said = load(DEMO)
    assert not said
    config, said = load(DEMO, {'model.backbone.out_indices': [1, 2, 3, 4]})
    assert not said and real_strides(build(config)) == [4, 8, 16, 32]


@pytest.mark.parametrize('model', [RETINA, FCOS])
@pytest.mark.parametrize(
    ('changes', 'strides'),
    [
        ({}, [8, 16, 32, 64, 128]),
        ({'model.backbone.out_indices': [0, 1, 2, 3]}, [4, 8, 16, 32, 64]),
        ({'model.backbone.output_stride': 16}, [8, 16, 16, 32, 64]),
    ],
)
def test_strides_of_single_stage_detectors(load, model, changes, strides):
    config, _ = load(dict(model=model, default_scope='mmdet'), changes)
    model = build(config)
    assert [stride for stride, _ in model.bbox_head.prior_generator.strides] == strides
    assert real_strides(model) == strides


@pytest.mark.parametrize('out_indices', [(4, 3, 2, 1), (1, 3, 2)])
def test_levels_from_coarse_to_fine(load, out_indices):
    with pytest.raises(
        InvalidArgument,
        match=r'out_indices=.*: a feature pyramid goes from fine to coarse; give \[',
    ):
        load(CONFIG, {'model.backbone.out_indices': list(out_indices)})


@pytest.mark.parametrize(
    ('changes', 'strides'),
    [
        ({}, [4, 8, 16, 32]),
        ({'model.backbone.out_indices': [2, 3, 4]}, [8, 16, 32, 64]),
        ({'model.backbone.output_stride': 16}, [4, 8, 16, 16]),
        ({'model.backbone.out_indices': [0, 1, 2, 3, 4]}, [2, 4, 8, 16]),
    ],
)
def test_strides_of_the_semantic_fpn(load, changes, strides):
    config, _ = load(SEMANTIC_FPN, changes)
    model = build(config)
    assert list(model.decode_head.feature_strides) == strides
    assert real_strides(model)[:4] == strides
    # Each level is doubled until it has the size of the first.
    doubled = [
        sum(type(layer).__name__ == 'Upsample' for layer in head)
        for head in model.decode_head.scale_heads
    ]
    assert doubled == [int(math.log2(stride / strides[0])) for stride in strides]


OTHER_WIDTH = {'model.backbone.width_mult': 1.7}
OTHER_FAMILY = {'model.backbone.type': 'rexdense.RegNet', 'model.backbone.arch': 'regnetx_400mf'}
OTHER_STRIDE = {'model.backbone.output_stride': 8}
FEWER_LEVELS = {'model.backbone.out_indices': [2, 3]}
FOUR_LEVELS = {'model.backbone.out_indices': [1, 2, 3, 4]}
# What changes channels goes one way in all; each head has its own way with strides and levels.
CHANGES = [
    *((CONFIG, changes) for changes in (OTHER_FAMILY, OTHER_STRIDE, FOUR_LEVELS)),
    (CONFIG, {'model.backbone.arch': 'rexnet_1.3'}),
    (CONFIG, {'model.backbone.arch': 'rexnet_1.5', 'model.backbone.width_mult': 0.8}),
    (CONFIG, {'model.backbone.depth_mult': 1.5}),
    *((DEEPLAB, changes) for changes in (OTHER_FAMILY, OTHER_STRIDE, FOUR_LEVELS)),
    *(
        (config, changes)
        for config in (SEMANTIC_FPN, SEGMENTATION_CONFIG, DEPTH)
        for changes in (OTHER_WIDTH, OTHER_STRIDE, FEWER_LEVELS)
    ),
    (SEGFORMER, FEWER_LEVELS),
]


@pytest.mark.parametrize(('config', 'changes'), CHANGES)
def test_heads_take_what_the_backbone_gives(load, config, changes):
    config, _ = load(config, changes)
    model = build(config)
    with torch.no_grad():
        features = model.extract_feat(torch.zeros(1, 3, 64, 64, device='meta'))
        if config.model.get('rpn_head'):
            scores, _ = model.rpn_head(features)
            assert len(scores) == len(model.rpn_head.prior_generator.strides)
        else:
            assert len(model.decode_head(features)) > 0


def test_the_backbone_by_its_rule_alone(load):
    numbers = dict(w_0=24, w_a=30.0, w_m=2.4, depth=14, group_width=8)
    changes = {'model.backbone._delete_': True, 'model.backbone.type': 'rexdense.RegNet'}
    changes |= {f'model.backbone.{key}': value for key, value in numbers.items()}
    config, _ = load(CONFIG, changes)
    assert config.model.neck.in_channels == [24, 56, 136, 328]


def test_channels_that_were_others_stay(load):
    config = load_config(ROOT / CONFIG)
    config.model.neck.in_channels = [1, 2, 3, 4]
    override(config, {'model.backbone.arch': 'rexnet_1.3'})
    assert config.model.neck.in_channels == [1, 2, 3, 4]


@pytest.mark.parametrize(
    'changes', [dict(width_mult=1.7), dict(out_indices=(2, 3, 4)), dict(arch='rexnet_1.3')]
)
def test_a_pyramid_follows_what_a_config_says_of_its_backbone_alone(load, changes):
    config, _ = load(CONFIG)
    stated = list(config.model.neck.in_channels)
    config.model.backbone.update(changes)
    (said,) = follow_pyramid_channels(config.model)
    levels = config.model.neck.in_channels
    assert said == f'in_channels of FPN {levels} instead of {stated}'
    features = build(config).extract_feat(torch.zeros(1, 3, 64, 64, device='meta'))
    assert len(features) == config.model.neck.num_outs
    assert follow_pyramid_channels(config.model) == []


def test_other_necks_and_backbones_keep_their_channels(load):
    config, _ = load(CONFIG)
    config.model.neck.update(type='mmdet.ChannelMapper', in_channels=[1, 2, 3, 4])
    assert follow_pyramid_channels(config.model) == []
    config.model.neck.type, config.model.backbone.type = 'mmdet.FPN', 'mmdet.ResNet'
    assert follow_pyramid_channels(config.model) == []
    assert config.model.neck.in_channels == [1, 2, 3, 4]


def test_channels_that_go_on_after_the_backbone():
    """As those of SSD's neck and head."""
    levels = channels('rexnet_1.0', (3, 4))
    config = Config(
        dict(
            model=dict(
                backbone=dict(type='rexdense.ReXNet', arch='rexnet_1.0', out_indices=(3, 4)),
                neck=dict(
                    type='mmdet.SSDNeck', in_channels=levels, out_channels=(*levels, 512, 256)
                ),
                bbox_head=dict(type='mmdet.SSDHead', in_channels=(*levels, 512, 256)),
            )
        )
    )
    override(config, {'model.backbone.width_mult': 1.7})
    wider = channels('rexnet_1.0', (3, 4), width_mult=1.7)
    assert config.model.neck.in_channels == wider
    assert config.model.neck.out_channels == config.model.bbox_head.in_channels
    assert config.model.neck.out_channels == (*wider, 512, 256)


def test_all_configs_state_the_channels_and_strides_of_their_levels():
    for path in (ROOT / 'configs').rglob('*.py'):
        if '_base_' not in Path(path).parts:
            model = load_config(path).model
            assert follow_pyramid_channels(model) + follow_strides(model) == [], path
