"""Pieces of recipes: each does what its file says, all compose, and none hides another."""

import itertools
from pathlib import Path

import pytest

pytest.importorskip('mmdet')

import torch
from mmengine.registry import init_default_scope

from rexdense.cli import train
from rexdense.engine.config.apply import apply_run_options
from rexdense.engine.config.load import load_config
from rexdense.engine.config.override import override
from rexdense.engine.config.pieces import add_pieces, piece_names
from rexdense.engine.scope import import_scope
from rexdense.errors import InvalidArgument, UnknownName
from rexdense.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[3] / 'configs'
REXNET = 'rexnet/faster-rcnn_rexnet-1.0_fpn_1x_coco.py'
ON_COCO = [
    REXNET,
    'rexnet/mask-rcnn_rexnet-2.2_fpn_1x_coco.py',
    'regnet/mask-rcnn_regnetx-400mf_fpn_1x_coco.py',
    'baselines/faster-rcnn_resnet-50_fpn_1x_coco.py',
    'baselines/mask-rcnn_efficientnet-b0_fpn_1x_coco.py',
]
pytestmark = pytest.mark.usefixtures('fresh_mmengine')


def config_with(*pieces, path=REXNET):
    config = load_config(CONFIGS / path)
    add_pieces(config, pieces)
    return config


def resizing(config, loader):
    (step,) = (step for step in config[loader].dataset.pipeline if 'Resize' in step.type)
    return step


def unscoped(scheduler):
    """A section without the scope that mmengine notes in those of mmdet's files."""
    return {key: value for key, value in scheduler.items() if key != '_scope_'}


def norms(config):
    """The normalisation layers of the backbone that are not frozen with their level."""
    import_scope(config)
    init_default_scope('mmdet')
    backbone = MODELS.build(config.model.backbone | dict(init_cfg=None, frozen_stages=0))
    backbone.train()
    kinds = (torch.nn.BatchNorm2d, torch.nn.SyncBatchNorm)
    return [layer for layer in backbone.modules() if isinstance(layer, kinds)][-10:]


def test_the_pieces():
    assert piece_names(load_config(CONFIGS / REXNET)) == [
        *('1200x640-800', '1200x800', '1333x640-800', '1333x800'),
        *('2x', '3x', 'adamw', 'cascade', 'frozen-bn', 'syncbn'),
    ]


@pytest.mark.parametrize(('piece', 'epochs', 'steps'), [('2x', 24, [16, 22]), ('3x', 36, [27, 33])])
@pytest.mark.parametrize('path', ON_COCO)
def test_longer_schedules(piece, epochs, steps, path):
    before, config = load_config(CONFIGS / path), config_with(piece, path=path)
    assert config.train_cfg.max_epochs == epochs
    warm_up, decay = config.param_scheduler
    assert warm_up == unscoped(before.param_scheduler[0])
    assert decay == unscoped(before.param_scheduler[1]) | dict(end=epochs, milestones=steps)
    assert config.optim_wrapper == before.optim_wrapper
    assert config.train_dataloader == before.train_dataloader


@pytest.mark.parametrize('width', [1200, 1333])
@pytest.mark.parametrize('path', ON_COCO)
def test_sizes(width, path):
    before = load_config(CONFIGS / path)
    config = config_with(f'{width}x800', path=path)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        step = resizing(config, loader)
        assert step == dict(type='mmdet.Resize', scale=(width, 800), keep_ratio=True)
        others = [each for each in config[loader].dataset.pipeline if 'Resize' not in each.type]
        assert others == [
            each for each in before[loader].dataset.pipeline if 'Resize' not in each.type
        ]
    config = config_with(f'{width}x640-800', path=path)
    step = resizing(config, 'train_dataloader')
    assert step.type == 'RandomResize' and step.scale == [(width, 640), (width, 800)]
    assert resizing(config, 'test_dataloader').scale == (width, 800)


@pytest.mark.parametrize('path', ON_COCO)
def test_all_kinds_compose_in_any_order(path):
    pieces = ('3x', '1200x640-800', 'adamw', 'syncbn')
    orders = list(itertools.permutations(pieces))[::7]
    configs = [config_with(*order, path=path)._cfg_dict for order in orders]
    first = configs[0]
    assert all(config == first for config in configs)
    assert first.train_cfg.max_epochs == 36
    assert first.optim_wrapper == dict(
        type='OptimWrapper',
        optimizer=dict(type='AdamW', lr=0.0001, betas=(0.9, 0.999), weight_decay=0.05),
        paramwise_cfg=dict(norm_decay_mult=0.0),
    )
    assert first.auto_scale_lr == dict(enable=True, base_batch_size=16)
    before = load_config(CONFIGS / path)
    for section in ('neck', 'rpn_head', 'roi_head', 'data_preprocessor'):
        assert first.model[section] == before.model[section]
    config = config_with(*pieces, path=path)
    assert all(isinstance(layer, torch.nn.SyncBatchNorm) for layer in norms(config))
    assert all(layer.training and layer.weight.requires_grad for layer in norms(config))


@pytest.mark.parametrize('path', ON_COCO)
def test_cascaded_heads(path):
    before = load_config(CONFIGS / path)
    orders = [
        config_with(*order, path=path) for order in (('cascade', 'syncbn'), ('syncbn', 'cascade'))
    ]
    assert orders[0]._cfg_dict == orders[1]._cfg_dict
    model = orders[0].model
    assert model.type == 'CascadeRCNN' and len(model.roi_head.bbox_head) == 3
    assert model.get('mask_head') == before.model.get('mask_head')
    assert model.backbone.norm_cfg.type == 'SyncBN'
    for section in ('neck', 'rpn_head', 'test_cfg'):
        assert model[section] == before.model[section]


def test_a_model_without_heads_to_cascade(tmp_path):
    piece = str(CONFIGS / '_base_/pieces/cascade.py')
    with pytest.raises(
        InvalidArgument, match=r'--with .*cascade.py: a cascade is made of FasterRCNN'
    ):
        config_with(piece, path='ssdlite/ssdlite_rexnet-1.0_320_custom_coco.py')
    with pytest.raises(InvalidArgument, match='--with cascade cascade: give it once'):
        config_with('cascade', 'cascade')
    own = tmp_path / 'own.py'
    own.write_text('cascade = dict(stages=4)')
    with pytest.raises(InvalidArgument, match=r'own.py: stages=4: 2 and 3 are known'):
        config_with(str(own))
    own.write_text('model = dict(roi_head=dict(bbox_head=dict(fc_out_channels=8)))')
    with pytest.raises(InvalidArgument, match=r'both set model\.roi_head'):
        config_with(str(own), 'cascade')
    own.write_text(f'cascade = dict(stages=3)\n{own.read_text()}')
    with pytest.raises(
        InvalidArgument, match=r'own.py: cascade sets model\.roi_head, and the file'
    ):
        config_with(str(own))
    own.write_text('cascade = 3')
    with pytest.raises(
        InvalidArgument, match=r'own.py: cascade=3 is not known; give dict\(stages=3\)'
    ):
        config_with(str(own))


@pytest.mark.parametrize('path', [path for path in ON_COCO if 'faster' in path])
def test_frozen_normalisation(path):
    for layer in norms(config_with('frozen-bn', '2x', path=path)):
        assert isinstance(layer, torch.nn.BatchNorm2d)
        assert not layer.training and not layer.weight.requires_grad


@pytest.mark.parametrize(
    ('pieces', 'value'),
    [
        (('2x', '3x'), 'train_cfg.max_epochs'),
        (('1200x800', 'adamw', '1333x640-800'), 'train_resize'),
        (('syncbn', 'frozen-bn'), 'model.backbone.norm_cfg'),
        (('adamw', 'adamw'), 'optim_wrapper'),
    ],
)
def test_two_pieces_for_one_value_are_refused(pieces, value):
    with pytest.raises(
        InvalidArgument, match=rf'--with {pieces[0]} {pieces[-1]}: both set {value}'
    ):
        config_with(*pieces)


def test_unknown_and_unfit_pieces_are_refused(tmp_path):
    with pytest.raises(UnknownName, match=r'--with 4x: .*[23]x'):
        config_with('4x')
    with pytest.raises(UnknownName, match=r'no config file no/such\.py'):
        config_with('no/such.py')
    alone = tmp_path / 'alone.py'
    alone.write_text("model = dict(type='A')")
    with pytest.raises(UnknownName, match='no pieces lie beside this config; give a path'):
        add_pieces(load_config(alone), ['3x'])
    with pytest.raises(InvalidArgument, match='changes train_cfg, which is of another kind'):
        add_pieces(load_config(alone), [str(CONFIGS / '_base_/pieces/3x.py')])
    with pytest.raises(InvalidArgument, match='has no backbone'):
        add_pieces(load_config(alone), [str(CONFIGS / '_base_/pieces/syncbn.py')])


@pytest.mark.parametrize(
    'path',
    [
        'unet/unet_rexnet-1.0_80k_cityscapes.py',
        'classification/rexnet-1.0_custom.py',
        'ssdlite/ssdlite_rexnet-1.0_320_600e_coco.py',
    ],
)
def test_recipes_of_other_models_have_no_named_pieces(path):
    with pytest.raises(
        InvalidArgument, match=r'--with 1200x800: .* for Faster and Mask R-CNN, and '
    ):
        config_with('1200x800', path=path)


def test_a_config_that_counts_iterations_takes_no_epochs():
    piece = str(CONFIGS / '_base_/pieces/3x.py')
    with pytest.raises(InvalidArgument, match='changes train_cfg, which is of another kind'):
        config_with(piece, path='unet/unet_rexnet-1.0_80k_cityscapes.py')


def test_a_pipeline_without_one_step_that_scales():
    with pytest.raises(InvalidArgument, match='has 0 steps that scale images'):
        config = load_config(CONFIGS / REXNET)
        config.train_dataloader.dataset.pipeline = config.train_dataloader.dataset.pipeline[:2]
        add_pieces(config, ['1200x800'])


def test_the_work_directory_names_the_pieces():
    command = [str(CONFIGS / REXNET), '--device', 'cpu', '--with', '3x', '1200x640-800']
    options = train.parser().parse_args(command)
    config = load_config(options.config)
    apply_run_options(config, options, training=False)
    assert config.work_dir == 'work_dirs/faster-rcnn_rexnet-1.0_fpn_1x_coco_3x_1200x640-800'
    assert config.train_cfg.max_epochs == 36


def test_single_values_are_set_after_pieces():
    config = config_with('adamw')
    override(config, {'optim_wrapper.optimizer.lr': 0.0003})
    assert config.optim_wrapper.optimizer == dict(
        type='AdamW', lr=0.0003, betas=(0.9, 0.999), weight_decay=0.05
    )
