"""The config in a checkpoint is data: nothing in it is run."""

import contextlib
import re
from pathlib import Path

import pytest

pytest.importorskip('mmdet')

import torch
from mmengine.config import Config
from mmengine.dataset import Compose

from rexdense.cli import predict
from rexdense.engine.config.load import load_config
from rexdense.engine.config.stored.config import StoredConfig, read_stored_config
from rexdense.engine.hooks.same_tensors import require_same_tensors
from rexdense.engine.scope import import_scope
from rexdense.errors import CheckpointUnreadable, RexdenseError
from rexdense.registry import MODELS
from tests.config_kinds import take_kinds
from tests.engine.config.stored.crafted_checkpoints import IN_BACKBONE, IN_DETECTOR, IN_SEGMENTOR
from tests.small_classification import CONFIG as CLASSIFICATION_CONFIG
from tests.tiny_run import CONFIG, MASK_CONFIG, ROOT, SEGMENTATION_CONFIG


def pytest_generate_tests(metafunc):
    """Take a config of each kind, or all of them."""
    take_kinds(metafunc, 'built')
    take_kinds(metafunc, 'written')


def test_configs_written_by_mmengine_are_read_back(written):
    config = load_config(ROOT / written)
    again = read_stored_config(config.pretty_text, 'file.pth')
    assert again.to_dict() == config.to_dict()


@pytest.mark.parametrize('path', [CONFIG, MASK_CONFIG, SEGMENTATION_CONFIG, CLASSIFICATION_CONFIG])
def test_configs_formatted_by_yapf_are_read_back(path, monkeypatch, quick_configs):
    monkeypatch.setattr('yapf.yapflib.yapf_api.FormatCode', quick_configs)
    config = load_config(ROOT / path)
    text = config.pretty_text
    again = read_stored_config(text, 'file.pth')
    assert again.to_dict() == config.to_dict() == Config.fromstring(text, '.py').to_dict()


def test_every_config_is_built_from_what_is_taken(built):
    config = load_config(ROOT / built)
    stored = StoredConfig(read_stored_config(config.pretty_text, 'file.pth'), 'file.pth')
    taken, steps = stored.model(), stored.pipeline()
    # Without storage, for what is compared is the shape of every tensor; but mmdet's EfficientNet
    # reads values of tensors while it is built.
    with torch.device('cpu' if 'efficientnet' in built else 'meta'):
        with stored.building():
            model = MODELS.build(taken)
            pipeline = Compose(steps)
        import_scope(config)
        whole = MODELS.build(dict(_scope_=config.default_scope) | config.model)
    require_same_tensors(model, whole.state_dict(), 'file.pth')
    assert [type(step).__name__ for step in pipeline.transforms[:1]] == ['LoadImage']
    assert 'Pack' in type(pipeline.transforms[-1]).__name__


@pytest.mark.parametrize(
    ('scope', 'name'),
    [
        ('mmdet', 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'),
        ('mmdet', 'mask_rcnn/mask-rcnn_r50-caffe_fpn_ms-poly-3x_coco.py'),
        ('mmdet', 'retinanet/retinanet_r50_fpn_1x_coco.py'),
        ('mmdet', 'deformable_detr/deformable-detr_r50_16xb2-50e_coco.py'),
        ('mmseg', 'unet/unet-s5-d16_fcn_4xb4-160k_cityscapes-512x1024.py'),
        ('mmseg', 'segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py'),
    ],
)
def test_configs_of_the_hosts_pass(scope, name):
    """Bare names in a default scope, as both lines of OpenMMLab write them."""
    path = Path(pytest.importorskip(scope).__file__).parent / '.mim' / 'configs' / name
    if not path.is_file():
        pytest.skip(f'{scope} is installed without its configs')
    text = Config.fromfile(path).pretty_text
    stored = StoredConfig(read_stored_config(text, 'file.pth'), 'file.pth')
    assert stored.model().type and stored.pipeline()


@pytest.mark.parametrize(
    ('name', 'path', 'form'),
    [(name, CONFIG, form) for name, form in {**IN_BACKBONE, **IN_DETECTOR}.items()]
    + [(name, SEGMENTATION_CONFIG, form) for name, form in IN_SEGMENTOR.items()],
    ids=lambda value: value if isinstance(value, str) and ' ' in value else '',
)
def test_every_form_is_refused_while_it_is_taken(name, path, form, tmp_path):
    """By every route, hence before anything is built; test_crafted_checkpoints has the routes."""
    config = Config.fromfile(ROOT / path).to_dict()
    form(config, tmp_path)
    text = '\n'.join(f'{key} = {value!r}' for key, value in config.items())
    with pytest.raises(CheckpointUnreadable, match=r'^the config in file\.pth says .* at '):
        stored = StoredConfig(read_stored_config(text, 'file.pth'), 'file.pth')
        stored.backbone() if name in IN_BACKBONE else (stored.model(), stored.pipeline())


def test_names_are_looked_up_in_their_scope():
    """mmseg's RandomCutOut is none of mmdet, mmdet's FPN none of the transforms."""
    config = dict(model=dict(type='mmdet.FCOS', neck=dict(type='FPN')), default_scope='mmdet')
    assert StoredConfig(Config(config), 'file.pth').model().neck.type == 'FPN'
    for change in (
        dict(default_scope='mmengine'),
        dict(model=dict(type='mmdet.FCOS', neck=dict(type='UNet'))),
        dict(model=dict(type='mmdet.FCOS', neck=dict(type='FPN', _scope_='mmengine'))),
    ):
        with pytest.raises(CheckpointUnreadable, match=r'at model\.neck\.type'):
            StoredConfig(Config(config | change), 'file.pth').model()
    inner = dict(type='mmdet.FCOS', neck=dict(type='UNet', _scope_='mmseg'))
    assert StoredConfig(Config(config | dict(model=inner)), 'file.pth').model()


@pytest.mark.parametrize('name', ['evil_name', 'mmengine.put_text', 'os.getcwd'])
def test_nothing_is_imported_while_building(name):
    """Even what slips through the check, or is looked up elsewhere, is not imported."""
    stored = StoredConfig(Config(dict(default_scope='mmdet')), 'file.pth')
    with pytest.raises(RexdenseError, match='no model is called'), stored.building():
        MODELS.build(dict(type=name))


@pytest.mark.parametrize(
    ('key', 'value', 'allowed'),
    [
        ('mode', 'bilinear', True),
        ('arch', 'regnetx_3.2gf', True),
        ('meta_keys', ('img_id', 'scale_factor'), True),
        ('class_weight', [0.5, 1.0], True),
        ('drop_path', 0.1, True),
        ('ann_file', None, True),
        ('weights', 'weights.pth', False),
        ('weights', 'a/b', False),
        ('weights', '..', False),
        ('weights', 'a\\b', False),
        ('weights', '~', False),
        ('weights', 'http://a', False),
        ('weights', '$HOME', False),
        ('weights', '{{$HOME}}', False),
        ('weights', '<mmengine.put_text>', False),
        ('weights', b'word', False),
        ('weights', {'a.pkl'}, False),
        ('weights', [[('word', 'a.pkl')]], False),
        ('checkpoint', 'word', False),
        ('teacher_ckpt', 'word', False),
        ('ann_file', 'word', False),
        ('class_weight', 'word', False),
        ('class_weight', ['word'], False),
    ],
)
def test_texts_that_could_name_files(key, value, allowed):
    config = Config(dict(model={'type': 'mmdet.FCOS', 'neck': {key: value}}))
    if allowed:
        assert StoredConfig(config, 'file.pth').model().neck[key] == value
    else:
        with pytest.raises(CheckpointUnreadable, match=rf'at model\.neck\.{key}'):
            StoredConfig(config, 'file.pth').model()


def test_settings_of_training_are_left_out():
    init = dict(type='Pretrained', checkpoint='a.pth')
    model = dict(
        type='mmdet.FCOS',
        pretrained='a.pth',
        init_cfg=init,
        train_cfg=dict(assigner=dict(type='os.system')),
        backbone=dict(type='mmdet.ResNet', init_cfg=[init], depth=50),
    )
    taken = StoredConfig(Config(dict(model=model)), 'file.pth').model()
    backbone = dict(type='mmdet.ResNet', depth=50)
    assert taken == dict(type='mmdet.FCOS', train_cfg=None, backbone=backbone)
    assert StoredConfig(Config(dict(model=model)), 'file.pth', trusted=True).model() == model


def test_steps_in_steps():
    def taken(inner):
        step = dict(type='RandomApply', transforms=[inner])
        pipeline = [step, dict(type='mmdet.LoadAnnotations'), dict(type='os.AnnotationLoader')]
        data = dict(dataset=dict(type='A', dataset=dict(type='B', pipeline=pipeline)))
        return StoredConfig(Config(dict(test_dataloader=data)), 'file.pth').pipeline()

    loading = dict(type='LoadImageFromFile', imdecode_backend='pillow')
    service = dict(backend_args=dict(backend='http'), file_client_args=dict(backend='http'))
    assert taken(loading | service) == [dict(type='RandomApply', transforms=[loading])]
    with pytest.raises(CheckpointUnreadable, match=r'pipeline\[0\]\.transforms\[0\]\.type'):
        taken(dict(type='ReLU'))


@pytest.mark.parametrize(
    ('config', 'lacking'),
    [
        ({}, 'model'),
        (dict(model=5), 'model'),
        (dict(model={}), 'model.type'),
        (dict(model=dict(type='mmdet.FCOS')), 'test_dataloader'),
        (dict(model=dict(type='mmdet.FCOS'), test_dataloader=dict(dataset=[])), '.dataset'),
        (
            dict(
                model=dict(type='mmdet.FCOS'),
                test_dataloader=dict(dataset=dict(type='A', pipeline=[dict(scale=3)])),
            ),
            'pipeline[0].type',
        ),
    ],
)
def test_lacking_sections_are_named(config, lacking):
    with pytest.raises(CheckpointUnreadable, match=re.escape(lacking) + ': give'):
        stored = StoredConfig(Config(config), 'file.pth')
        stored.model()
        stored.pipeline()


def test_all_kinds_of_values():
    values = dict(
        number=-1.5, whole=-3, far=float('inf'), word="it's", yes=True, nothing=None,
        several=[(1, 2), {'a b': [dict(c={3})]}], empty=dict(),
    )  # fmt: skip
    assert read_stored_config(Config(values).pretty_text, 'file.pth').to_dict() == values


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ("import os\nos.system('true')", 'line 1 is no assignment'),
        ("a = 1\nb = __import__('os').system('true')", "line 2 holds \"__import__('os')"),
        ('a = dict(b=open)', "line 1 holds 'open'"),
        ('a = dict([(1, 2)])', 'line 1 holds'),
        ('a = [b for b in range(3)]', 'line 1 holds'),
        ('a.b = 1', 'line 1 assigns to no name'),
        ('a = (', 'never closed'),
        ('a = dict(**{"type": 1})', 'unpacks a dictionary'),
        ('a = f"{1}"', 'line 1 holds'),
        ('a: int = 1', 'line 1 is no assignment'),
        ('a = b = 1', 'too many values'),
    ],
)
def test_code_is_refused(text, expected):
    with pytest.raises(CheckpointUnreadable, match=re.escape(expected)) as caught:
        read_stored_config(text, 'file.pth')
    assert str(caught.value).startswith('the config in file.pth is more than a list of values (')


@pytest.mark.parametrize('name', ['filename', 'text', 'pretty_text', 'env_variables'])
def test_names_that_mmengine_keeps_are_refused(name):
    with pytest.raises(CheckpointUnreadable, match=name):
        read_stored_config(f'{name} = 1', 'file.pth')


@pytest.mark.parametrize('text', ['-' * 100_000 + '1', '(' * 5000, '[' * 150 + ']' * 150])
def test_deep_text_is_refused_or_read(text):
    with contextlib.suppress(CheckpointUnreadable):
        read_stored_config(f'a = {text}', 'file.pth')


def test_bases_of_a_stored_text_are_not_read(tmp_path):
    base = tmp_path / 'base.py'
    base.write_text('a = 1')
    assert 'a' not in read_stored_config(f'_base_ = {str(base)!r}', 'file.pth')


def test_predicting_runs_nothing_of_the_checkpoint(trained, shapes, tmp_path):
    content = torch.load(trained.checkpoint, weights_only=False)
    mark = tmp_path / 'mark'
    content['meta']['cfg'] += f'\nopen({str(mark)!r}, "w")\n'
    torch.save(content, tmp_path / 'evil.pth')
    with pytest.raises(CheckpointUnreadable, match='more than a list of values'):
        predict.main([str(tmp_path / 'evil.pth'), str(shapes / 'images/val'), '--out-dir', 'x'])
    assert not mark.exists()
