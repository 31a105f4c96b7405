"""Values of a config set from a command line."""

import re

import pytest

pytest.importorskip('mmengine')

from mmengine.config import Config

from rexdense.arch import channels
from rexdense.engine.overrides import override
from rexdense.errors import UnknownName


@pytest.fixture
def config():
    return Config(
        dict(
            model=dict(
                backbone=dict(type='rexdense.ReXNet', arch='rexnet_1.0', init_cfg=None),
                neck=dict(in_channels=channels('rexnet_1.0'), out_channels=64),
                heads=[dict(num=1), dict(num=2)],
            ),
            lr=0.1,
        )
    )


def test_values_are_set(config):
    override(config, {'lr': 0.2, 'model.heads.1.num': 3, 'model.neck.norm': 'BN'})
    assert config.lr == 0.2
    assert [head.num for head in config.model.heads] == [1, 3]
    assert config.model.neck == dict(in_channels=[38, 61, 128, 185], out_channels=64, norm='BN')


@pytest.mark.parametrize('section', ['init_cfg', 'norm_cfg'])
def test_sections_of_classes_may_be_new(config, section):
    override(config, {f'model.backbone.{section}.type': 'A', f'model.backbone.{section}.b': 1})
    assert config.model.backbone[section] == dict(type='A', b=1)


def test_a_section_may_be_begun_anew(config):
    override(config, {'model.neck._delete_': True, 'model.neck.type': 'A'})
    assert config.model.neck == dict(type='A')


def test_channels_follow_the_backbone(config):
    override(config, {'model.backbone.arch': 'rexnet_1.3'})
    assert config.model.neck.in_channels == [50, 79, 167, 240]
    override(config, {'model.backbone.out_indices': [2, 3]})
    assert config.model.neck.in_channels == [79, 167]
    config.model.neck.in_channels = [1]
    override(config, {'model.backbone.arch': 'rexnet_1.0'})
    assert config.model.neck.in_channels == [1]


@pytest.mark.parametrize(
    ('key', 'expected'),
    [
        ('rl', "the config has no 'rl' there; did you mean 'lr'?"),
        ('init_cfg.type', "the config has no 'init_cfg' there; allowed are lr, model"),
        ('model.backbon.arch', "has no 'backbon' there; did you mean 'backbone'?"),
        ('model.heads.2.num', "'2' is no index into a list of 2"),
        ('model.heads.first', "'first' is no index into a list of 2"),
        ('lr.type', "what 'type' is looked for in is a value: 0.1"),
    ],
)
def test_unknown_keys(config, key, expected):
    before = config.pretty_text
    with pytest.raises(UnknownName, match=re.escape(expected)) as caught:
        override(config, {key: 1})
    assert str(caught.value).startswith(f'--cfg-options {key}: ')
    assert config.pretty_text == before


def test_unknown_backbone(config):
    with pytest.raises(
        UnknownName, match=re.escape("no backbone is called 'rexnet_1.1': did you mean 'rexnet_1")
    ):
        override(config, {'model.backbone.arch': 'rexnet_1.1'})
