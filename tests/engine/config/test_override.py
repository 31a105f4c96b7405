"""Values of a config set from a command line."""

import inspect
import re
import sys

import pytest

pytest.importorskip('mmengine')

from mmengine.config import Config
from mmengine.runner import Runner

from rexdense.arch import channels
from rexdense.engine.config.checks.assigned import require_fitting_values
from rexdense.engine.config.override import KEYS, override
from rexdense.errors import InvalidArgument, UnknownName


@pytest.fixture
def config():
    return Config(
        dict(
            model=dict(
                backbone=dict(type='rexdense.ReXNet', arch='rexnet_1.0', init_cfg=None),
                neck=dict(in_channels=channels('rexnet_1.0'), out_channels=64),
                heads=[dict(num=1), dict(num=2)],
            ),
            optim_wrapper=dict(lr=0.1),
            width=64,
        )
    )


def test_values_are_set(config):
    override(config, {'optim_wrapper.lr': 0.2, 'model.heads.1.num': 3, 'model.neck.norm': 'BN'})
    assert config.optim_wrapper.lr == 0.2
    assert [head.num for head in config.model.heads] == [1, 3]
    assert config.model.neck == dict(in_channels=[38, 61, 128, 185], out_channels=64, norm='BN')


def test_sections_are_copied(config):
    """One for two keys, of which the second lies in the first, would contain itself."""
    section = dict(type=None)
    override(config, {'optim_wrapper': section, 'optim_wrapper.optimizer': section})
    assert config.optim_wrapper.optimizer == section == dict(type=None)


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('find_unused_parameters', True),
        ('compile', True),
        ('compile.backend', 'eager'),
        ('randomness.seed', 3),
        ('randomness.deterministic', True),
        ('custom_hooks', []),
        ('env_cfg.cudnn_benchmark', True),
        ('env_cfg.mp_cfg.mp_start_method', 'spawn'),
        ('env_cfg.dist_cfg.backend', 'gloo'),
        ('env_cfg.resource_limit', 8192),
        ('default_hooks.logger.type', 'LoggerHook'),
        ('resume', True),
        ('load_from', 'file.pth'),
        ('auto_scale_lr.base_batch_size', 8),
        ('auto_scale_lr.enable', False),
        ('sync_bn', 'torch'),
        ('model_wrapper_cfg.type', 'MMDistributedDataParallel'),
        ('activation_checkpointing', ['backbone']),
        ('efficient_conv_bn_eval', ['backbone']),
        ('log_level', 'DEBUG'),
        ('log_processor.window_size', 5),
        ('experiment_name', 'first'),
        ('visualizer.type', 'Visualizer'),
        ('work_dir', 'runs'),
        ('default_scope', 'mmdet'),
        ('val_cfg.fp16', True),
    ],
)
def test_new_keys_that_the_runner_reads_are_set(config, key, value):
    override(config, {key: value})
    node = config
    for part in key.split('.'):
        node = node[part]
    assert node == value


def test_all_that_the_runner_reads_is_known():
    """Against mmengine's source, which takes some keys from the whole config as it runs."""
    source = inspect.getsource(sys.modules[Runner.__module__])
    assert set(re.findall(r"(?:\bcfg|self\.cfg)\.get\(\s*'(\w+)'", source)) <= KEYS


def test_a_hook_may_be_new(config):
    override(config, {'custom_hooks.0.type': 'EMAHook', 'custom_hooks.0.momentum': 0.01})
    override(config, {'custom_hooks.1.type': 'EmptyCacheHook', 'custom_hooks.0.momentum': 0.02})
    assert config.custom_hooks == [
        dict(type='EMAHook', momentum=0.02),
        dict(type='EmptyCacheHook'),
    ]
    override(config, {'default_hooks.show.type': 'Hook', 'default_hooks.show.draw': True})
    assert config.default_hooks.show == dict(type='Hook', draw=True)


@pytest.mark.parametrize('section', ['init_cfg', 'norm_cfg'])
def test_sections_of_classes_may_be_new(config, section):
    override(config, {f'model.backbone.{section}.type': 'A', f'model.backbone.{section}.b': 1})
    assert config.model.backbone[section] == dict(type='A', b=1)


def test_a_section_may_be_begun_anew(config):
    override(config, {'model.neck._delete_': True, 'model.neck.type': 'A'})
    assert config.model.neck == dict(type='A')


@pytest.mark.parametrize('key', ['max_epochs', 'max_iters'])
def test_the_schedule_follows_the_length_of_the_run(key):
    by_epoch = key == 'max_epochs'
    schedule = dict(type='PolyLR', by_epoch=by_epoch, begin=10, end=100)
    config = Config(
        dict(train_cfg={key: 100, 'val_interval': 30}, param_scheduler=[schedule], model=dict())
    )
    override(config, {f'train_cfg.{key}': 20})
    assert config.train_cfg == {key: 20, 'val_interval': 20}
    assert (config.param_scheduler[0].begin, config.param_scheduler[0].end) == (2, 20)
    override(config, {f'train_cfg.{key}': 40, 'param_scheduler.0.end': 30})
    assert (config.param_scheduler[0].begin, config.param_scheduler[0].end) == (2, 30)


@pytest.mark.parametrize(
    ('key', 'expected'),
    [
        ('wrok_dir', "nothing reads 'wrok_dir'; did you mean 'work_dir'"),
        ('width', "nothing reads 'width'; "),
        ('init_cfg.type', "nothing reads 'init_cfg'; did you mean 'train_cfg'"),
        ('randomness.sed', "nothing reads 'sed' there; did you mean 'seed'?"),
        ('env_cfg.cudnn', "nothing reads 'cudnn' there; did you mean 'cudnn_benchmark'?"),
        ('env_cfg.mp_cfg.opencv_threads', "nothing reads 'opencv_threads' there; did you mean"),
        ('auto_scale_lr.base_batch', "nothing reads 'base_batch' there; did you mean 'base_batch_"),
        ('compile.backnd', "nothing reads 'backnd' there; did you mean 'backend'?"),
        ('custom_hooks.1.type', "'1' is no index into a list of 0"),
        ('default_hooks.chekpoint.interval', "the config has no 'chekpoint' there; "),
        ('model.backbon.arch', "has no 'backbon' there; did you mean 'backbone'?"),
        ('model.heads.2.num', "'2' is no index into a list of 2"),
        ('model.heads.²', "'²' is no index into a list of 2"),
        pytest.param(f'model.heads.{"1" * 5000}', 'is no index into a list of 2', id='digits'),
        ('model.heads.first', "'first' is no index into a list of 2"),
        ('optim_wrapper.lr.type', "what 'type' is looked for in is a value: 0.1"),
    ],
)
def test_unknown_keys(config, key, expected):
    before = config.pretty_text
    with pytest.raises(UnknownName, match=re.escape(expected)) as caught:
        override(config, {key: 1})
    assert str(caught.value).startswith(f'--cfg-options {key}: ')
    assert config.pretty_text == before


@pytest.mark.parametrize('key', ['model', 'optim_wrapper', 'train_cfg', 'train_dataloader'])
def test_sections_that_a_run_needs_are_not_left_out(config, key):
    before = config.pretty_text
    with pytest.raises(InvalidArgument, match=f'{key}=None: a run needs this section'):
        override(config, {key: None})
    assert config.pretty_text == before


@pytest.mark.parametrize('stage', ['val', 'test'])
def test_validation_is_left_out_as_a_whole(config, stage):
    names = [f'{stage}_{end}' for end in ('cfg', 'dataloader', 'evaluator')]
    for name in names:
        config[name] = dict()
    before = config.pretty_text
    for name in names:
        others = [other for other in names if other != name]
        expected = f'{name}=None: .* set {others[0]}=None and {others[1]}=None as well'
        with pytest.raises(InvalidArgument, match=expected):
            override(config, {name: None})
    assert config.pretty_text == before
    override(config, dict.fromkeys(names))
    assert not any(config[name] for name in names)


def test_unknown_backbone(config):
    with pytest.raises(
        UnknownName, match=re.escape("no backbone is called 'rexnet_1.1': did you mean 'rexnet_1")
    ):
        override(config, {'model.backbone.arch': 'rexnet_1.1'})


@pytest.mark.parametrize(
    ('assignments', 'expected'),
    [
        ({'model.data_preprocessor.mean.0': 0.5}, [0.5, 116.28, 103.53]),
        (
            {'model.data_preprocessor.mean.0': 1, 'model.data_preprocessor.mean.2': 2},
            [1, 116.28, 2],
        ),
    ],
)
def test_an_element_of_a_list_of_numbers(assignments, expected):
    config = Config(dict(model=dict(data_preprocessor=dict(mean=[123.675, 116.28, 103.53]))))
    override(config, assignments)
    assert config.model.data_preprocessor.mean == expected


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('model.pipeline', 'slow'),
        ('custom_hooks', []),
        ('param_scheduler', None),
        ('visualizer.vis_backends', dict(type='LocalVisBackend')),
        ('train_dataloader.dataset.pipeline.0', dict(type='b')),
    ],
)
def test_lists_of_sections_and_what_is_called_like_them(key, value):
    text = dict(
        model=dict(pipeline='fast'),
        custom_hooks=[dict(type='a')],
        param_scheduler=[dict(type='a')],
        visualizer=dict(vis_backends=[dict(type='a')]),
        train_dataloader=dict(dataset=dict(pipeline=[dict(type='a')])),
    )
    require_fitting_values(Config(text), {key: value})


@pytest.mark.parametrize(
    ('assignments', 'expected'),
    [
        ({'model': 3}, 'model=3: model is a section of the config; give its values by model.NAME'),
        ({'model.backbone': [dict(type='a')]}, 'model.backbone is a section of the config'),
        ({'default_hooks.logger': 'off'}, 'default_hooks.logger is a section of the config'),
        ({'train_cfg': True}, 'train_cfg is a section of the config'),
        ({'param_scheduler': [1, 2]}, 'param_scheduler is a list of sections; change one by'),
        ({'custom_hooks': ["{'type': 'x'}"]}, 'custom_hooks is a list of sections'),
        ({'train_dataloader.dataset.pipeline': 'x'}, 'pipeline is a list of sections'),
        ({'train_cfg.max_epochs': 2.5}, 'train_cfg.max_epochs=2.5: give a whole number above 0'),
        ({'train_cfg.max_epochs': True}, 'give a whole number above 0'),
        ({'train_cfg.max_epochs': 0}, 'give a whole number above 0'),
        ({'model.head': {1: 2}}, 'a section names its values, and 1 is no name'),
        ({'model.head': [dict(a={1: 2})]}, 'a section names its values, and 1 is no name'),
        (
            {'model.head': 1, 'model.head.lr': 2},
            'model.head=1 and model.head.lr: model.head would be a value and a section',
        ),
    ],
)
def test_sections_stay_sections_and_lengths_whole(assignments, expected):
    text = dict(
        model=dict(backbone=dict(type='a')),
        default_hooks=dict(logger=dict(type='LoggerHook')),
        train_cfg=dict(max_epochs=3),
    )
    config = Config(text)
    with pytest.raises(InvalidArgument, match=re.escape(expected)):
        override(config, assignments)
    assert config._cfg_dict == text


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('default_hooks.logger', None),
        ('compile', False),
        ('val_evaluator', [dict(type='a'), dict(type='b')]),
        ('model.backbone', dict(_delete_=True, type='b')),
    ],
)
def test_sections_may_be_left_out_and_become_several(key, value):
    config = Config(
        dict(
            model=dict(backbone=dict(type='a')),
            default_hooks=dict(logger=dict(type='LoggerHook')),
            val_evaluator=dict(type='a'),
            compile=dict(backend='eager'),
        )
    )
    override(config, {key: value})
    section, _, name = key.rpartition('.')
    found = config[section][name] if section else config[name]
    assert found == (dict(type='b') if isinstance(value, dict) else value)
