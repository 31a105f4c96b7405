"""Remarks of a test run on a config that is not the one of the training."""

import copy
import math

import pytest

pytest.importorskip('mmengine')

from rexdense.engine.config.comparison import (
    changed_settings,
    differences,
    differences_sentence,
)
from rexdense.engine.config.load import load_config
from rexdense.engine.trained.file import TrainingFile
from tests.tiny_run import CONFIG, ROOT

RESIZE = dict(type='mmdet.Resize', scale=(640, 480), keep_ratio=True)


@pytest.fixture
def config():
    steps = [dict(type='rexdense.LoadImage'), RESIZE, dict(type='mmdet.LoadAnnotations')]
    model = dict(
        type='A',
        backbone=dict(arch='rexnet_1.0', frozen_stages=1, init_cfg=dict(type='B')),
        heads=[dict(num_classes=3, loss_cls=dict(weight=1.0)), dict(num_classes=4)],
        test_cfg=dict(score=0.05, mean=[1.0, 2.5], other=math.nan),
    )
    data = dict(dataset=dict(type='Repeat', dataset=dict(pipeline=copy.deepcopy(steps))))
    return dict(model=model, test_dataloader=data)


def steps_of(config):
    return config['test_dataloader']['dataset']['dataset']['pipeline']


def at_scale(config):
    steps_of(config)[1]['scale'] = (64, 64)


def with_a_step(config):
    steps_of(config).insert(2, dict(type='mmdet.Pad'))


def by_other_words(config):
    """Nothing that a metric depends on."""
    config['model']['backbone'].update(frozen_stages=-1, init_cfg=None, with_cp=True)
    config['model']['heads'][0]['loss_cls']['weight'] = 2.0
    config['model']['test_cfg'].update(mean=(1, 2.5), other=math.nan)
    steps_of(config)[1]['scale'] = [640, 480]
    steps_of(config)[1].update(type='Resize', _scope_='mmdet')
    steps_of(config).pop()


@pytest.mark.parametrize(
    ('change', 'expected'),
    [
        (lambda config: None, []),
        (by_other_words, []),
        (at_scale, ['mmdet.Resize scale (640, 480) for (64, 64)']),
        (
            with_a_step,
            [
                'test pipeline rexdense.LoadImage, mmdet.Resize for rexdense.LoadImage, '
                'mmdet.Resize, mmdet.Pad'
            ],
        ),
        (
            lambda config: config['model']['heads'][1].update(num_classes=9),
            ['model.heads.1.num_classes 4 for 9'],
        ),
        (
            lambda config: config['model']['test_cfg'].pop('score'),
            ['model.test_cfg.score 0.05 for nothing'],
        ),
        (
            lambda config: config['model']['test_cfg'].update(mean=[1.0, 2.0]),
            ['model.test_cfg.mean (1, 2.5) for (1, 2)'],
        ),
        (
            lambda config: config.update(test_dataloader=[1]),
            ['test pipeline rexdense.LoadImage, mmdet.Resize for nothing'],
        ),
    ],
)
def test_differences(config, change, expected):
    stored = copy.deepcopy(config)
    change(stored)
    assert differences(config, stored) == expected


def sentence(config, text):
    return differences_sentence(config, TrainingFile('a.pth', {}, None, None, text))


def test_a_config_is_as_it_was_stored():
    config = load_config(ROOT / CONFIG)
    assert sentence(config, config.pretty_text) == ''
    assert sentence(config, None) == ''
    assert 'cannot be read, so nothing is compared' in sentence(config, 'import os')


def test_the_sentence_is_one_line():
    config = load_config(ROOT / CONFIG)
    text = config.pretty_text
    for key in 'abcdef':
        config.model.test_cfg[key] = 1
    config.test_dataloader.dataset.pipeline[1].scale = (64, 64)
    said = sentence(config, text)
    assert said.startswith('Measured otherwise than a.pth was trained: model.test_cfg.a 1 for noth')
    assert said.endswith('; and 3 more (--scale W,H sets the size)') and '\n' not in said


def test_all_settings_of_a_run_are_compared_and_nothing_else():
    here = dict(
        model=dict(type='mmdet.A', init_cfg=dict(checkpoint='a.pth')),
        train_cfg=dict(max_epochs=3),
        optim_wrapper=dict(lr=0.1),
        custom_hooks=[dict(type='EMAHook')],
        work_dir='one',
        seed=1,
        a_variable=1,
    )
    there = copy.deepcopy(here) | dict(work_dir='two', seed=2, a_variable=2)
    del there['custom_hooks']
    there['model']['type'] = 'A'
    there['model']['init_cfg']['checkpoint'] = 'b.pth'
    there['train_cfg']['max_epochs'] = 4
    assert changed_settings(here, there) == [
        ('model.init_cfg.checkpoint', "'a.pth'", "'b.pth'"),
        ('train_cfg.max_epochs', '3', '4'),
        ('custom_hooks.0.type', "'EMAHook'", 'nothing'),
    ]
    assert changed_settings(here, here) == []
