"""Preprocessing is kept with the weights."""

import dataclasses
from pathlib import Path

import pytest
from mmengine.config import Config

import rexdense
from rexdense.checkpoint import (
    Preprocessing,
    convert_checkpoint,
    load_weights,
    published_preprocessing,
    write_checkpoint,
)
from rexdense.checkpoint.names.renaming import from_native
from rexdense.checkpoint.schemes import SCHEMES
from rexdense.errors import UnknownName

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
RGB = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True)
BGR = dict(mean=[103.53, 116.28, 123.675], std=[57.375, 57.12, 58.395], bgr_to_rgb=False)


@pytest.mark.parametrize(
    ('source', 'name', 'expected', 'interpolation'),
    [
        ('clovaai', 'rexnet_1.0', RGB, 'bicubic'),
        ('clovaai', 'rexnet_lite_1.0', RGB, 'bicubic'),
        ('timm', 'rexnetr_1.0', RGB, 'bicubic'),
        ('timm', 'regnety_400mf', RGB, 'bicubic'),
        ('torchvision', 'regnety_400mf', RGB, 'bilinear'),
        ('torchvision', 'resnext50_32x4d', RGB, 'bilinear'),
        ('pycls', 'regnetx_800mf', BGR, 'bilinear'),
        ('openmmlab', 'regnetx_800mf', BGR, 'bilinear'),
        ('openmmlab', 'resnext50_32x4d', RGB, 'bilinear'),
        ('mindcv', 'rexnet_1.0', RGB, 'bicubic'),
        ('mindcv', 'regnetx_800mf', RGB, 'bilinear'),
    ],
)
def test_preprocessing_of_each_project(source, name, expected, interpolation):
    published = published_preprocessing(source, name)
    assert published.data_preprocessor() == expected
    assert (published.interpolation, published.input_size) == (interpolation, 224)


def test_unknown_projects_and_networks_are_refused():
    with pytest.raises(UnknownName, match='its families are regnet'):
        published_preprocessing('pycls', 'rexnet_1.0')
    with pytest.raises(UnknownName, match="'pycls'"):
        published_preprocessing('pycl', 'regnetx_800mf')


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_it_is_written_and_read_back(suffix, tmp_path):
    source = rexdense.create_backbone('regnetx_200mf')
    theirs = from_native(source.state_dict(), SCHEMES['pycls'], source.architecture)
    first = write_checkpoint(tmp_path / 'pycls.pth', theirs)
    convert_checkpoint(first, tmp_path / f'ours{suffix}')
    report = load_weights(rexdense.create_backbone('regnetx_200mf'), tmp_path / f'ours{suffix}')
    assert report.source == 'rexdense'
    assert report.preprocessing == published_preprocessing('pycls', 'regnetx_200mf')
    assert 'BGR, mean (103.53, 116.28, 123.675)' in str(report)


def test_a_config_takes_it_from_the_source(tmp_path):
    (tmp_path / 'base.py').write_text("model = dict(type='FasterRCNN')\n")
    (tmp_path / 'config.py').write_text(
        "_base_ = ['./base.py']\n"
        'from rexdense.checkpoint import published_preprocessing\n'
        "published = published_preprocessing('pycls', 'regnetx_800mf').data_preprocessor()\n"
        "model = dict(data_preprocessor=dict(type='DetDataPreprocessor', **published))\n"
    )
    config = Config.fromfile(tmp_path / 'config.py')
    assert config.model.data_preprocessor.mean == BGR['mean']
    assert config.model.data_preprocessor.bgr_to_rgb is False
    # A training run writes its config and reads it again.
    assert Config.fromstring(config.pretty_text, '.py').model == config.model


@pytest.mark.parametrize(
    ('path', 'expected'),
    [
        ('regnet/faster-rcnn_regnetx-3.2gf_fpn_1x_coco.py', BGR),
        ('resnext/faster-rcnn_resnext50-32x4d_fpn_1x_coco.py', RGB),
        ('rexnet/faster-rcnn_rexnet-1.0_fpn_1x_coco.py', RGB),
    ],
)
def test_every_config_feeds_its_weights_what_they_were_trained_on(path, expected):
    config = Config.fromfile(CONFIGS / path)
    assert expected.items() <= config.model.data_preprocessor.to_dict().items()


def test_a_dictionary_gives_it_back():
    for scheme in SCHEMES.values():
        for names in scheme.families.values():
            values = dataclasses.asdict(names.preprocessing)
            assert Preprocessing.from_dict(values) == names.preprocessing
