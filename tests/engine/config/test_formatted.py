"""The text of a run's config is formatted once."""

import pytest

pytest.importorskip('mmengine')

import copy

from mmengine.config import Config
from yapf.yapflib import yapf_api

from rexdense.engine.config.formatted import FormattedOnce
from tests.engine.resume.toy_run import run, toy_config


def test_a_run_formats_its_config_once(tmp_path, monkeypatch):
    texts = []
    monkeypatch.setattr(
        yapf_api, 'FormatCode', lambda text, **_: (texts.append(text) or text, True)
    )
    run(toy_config(tmp_path))
    assert len(texts) == 1


@pytest.mark.parametrize('again', [lambda config: config, copy.copy, copy.deepcopy])
def test_the_text_is_that_of_the_values(again):
    config = FormattedOnce.of(Config(dict(model=dict(type='A', size=(1, 2)), names=['b'])))
    assert config.pretty_text == Config(config.to_dict()).pretty_text
    config = again(config)
    config.model.size = (1, 3)
    config.merge_from_dict({'model.depth': 2})
    assert config.pretty_text == Config(config.to_dict()).pretty_text
    assert 'depth' in config.pretty_text and '_formatted' not in config
