"""--pretrained and what it changes in a config."""

import pytest
import torch

pytest.importorskip('mmengine')

from mmengine.config import Config

import rexdense
from rexdense.checkpoint import write_checkpoint
from rexdense.engine.config.pretrained import use_normalisation, use_pretrained
from rexdense.errors import CheckpointMismatch, CheckpointUnreadable, InvalidArgument, UnknownName
from rexdense.registry import MODELS

RGB = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True)
BGR = dict(mean=[103.53, 116.28, 123.675], std=[57.375, 57.12, 58.395], bgr_to_rgb=False)
NAME = 'regnetx_200mf'


def config_of(kind='mmseg.EncoderDecoder', **backbone):
    backbone = dict(type='rexdense.RegNet', arch=NAME) | backbone
    return Config(
        dict(model=dict(type=kind, backbone=backbone, data_preprocessor=dict(pad_val=7, **RGB)))
    )


@pytest.fixture
def served(serve_weights):
    """Weights of 'pycls', which read BGR, on a server here."""
    torch.manual_seed(0)
    trained = rexdense.create_classifier(NAME)
    serve_weights(NAME, 'pycls', trained.state_dict())
    return trained


@pytest.mark.parametrize('choice', ['pycls', 'best', f'{NAME}:pycls', f'{NAME}:pycls.dds_8gpu'])
def test_published_weights_bring_their_channels(served, choice):
    config = config_of()
    said = use_pretrained(config, choice)
    name = f'{NAME}:pycls.dds_8gpu'
    assert said.startswith(f'Weights of {name} (')
    assert said.endswith('images as BGR, mean 103.53, 116.28, 123.675, std 57.375, 57.12, 58.395')
    model = config.model
    assert model.data_preprocessor == dict(pad_val=7, **BGR)
    assert model.backbone.init_cfg == dict(type='rexdense.Pretrained', checkpoint=name)
    backbone = MODELS.build(model.backbone)
    backbone.init_weights()
    assert torch.equal(backbone.stem.conv.weight, served.backbone.stem.conv.weight)


@pytest.mark.parametrize('choice', ['pycls', 'pycls.dds_8gpu', 'best', f'{NAME}:pycls'])
def test_a_folder_of_that_name_hides_no_publisher(served, choice, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in {choice, f'{NAME}:pycls.dds_8gpu'}:
        (tmp_path / name).mkdir()
    assert use_pretrained(config_of(), choice).startswith(f'Weights of {NAME}:pycls.dds_8gpu (')


def test_a_folder_without_a_checkpoint_is_told(served, tmp_path):
    with pytest.raises(CheckpointUnreadable, match='is a folder without a file last_checkpoint'):
        use_pretrained(config_of(), str(tmp_path))


def test_a_work_directory_is_taken_by_its_name(served, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'pycls').mkdir()
    write_checkpoint(tmp_path / 'pycls/epoch_1.pth', served.state_dict())
    (tmp_path / 'pycls/last_checkpoint').write_text('epoch_1.pth')
    assert use_pretrained(config_of(), 'pycls').startswith('Weights of pycls (')


def test_a_classifier_takes_the_head_but_its_last_layer(tmp_path):
    torch.manual_seed(0)
    trained = rexdense.create_classifier('rexnet_1.0', num_classes=5)
    file = write_checkpoint(tmp_path / 'trained.pth', trained.state_dict())
    config = config_of(
        'rexdense.ImageClassifier',
        type='rexdense.ReXNet',
        arch='rexnet_1.0',
        init_cfg=dict(type='rexdense.Pretrained', checkpoint='another.pth'),
    )
    use_pretrained(config, str(file))
    config.model.update(num_classes=3)
    del config.model.data_preprocessor['pad_val']
    config.model.data_preprocessor.type = 'mmengine.ImgDataPreprocessor'
    model = MODELS.build(config.model)
    model.init_weights()
    for name, tensor in trained.state_dict().items():
        if not name.startswith('head.fc.'):
            assert torch.equal(model.state_dict()[name], tensor), name
    assert model.head.fc.weight.shape[0] == 3


def test_a_classifier_takes_the_backbone_of_a_detector(tmp_path):
    torch.manual_seed(0)
    trained = rexdense.create_backbone(NAME)
    state = {f'backbone.{name}': tensor for name, tensor in trained.state_dict().items()}
    file = write_checkpoint(tmp_path / 'boxes.pth', state | {'neck.weight': torch.ones(1)})
    config = config_of('rexdense.ImageClassifier')
    use_pretrained(config, str(file))
    del config.model.data_preprocessor
    model = MODELS.build(config.model)
    model.init_weights()
    assert torch.equal(model.backbone.stem.conv.weight, trained.stem.conv.weight)


@pytest.mark.parametrize(
    ('choice', 'kind', 'expected'),
    [
        ('pycsl', UnknownName, "no weights of regnetx_200mf are called 'pycsl': did you mean 'pyc"),
        ('pycls.ddx', UnknownName, r"'pycls.ddx': did you mean 'pycls' or 'pycls\.dds_8gpu'"),
        ('regnetx_400mf:pycls', InvalidArgument, 'is regnetx_200mf; give regnetx_200mf:pycls'),
        ('regnetx_400mf:pycls', InvalidArgument, 'backbone.arch=regnetx_400mf'),
        (
            'regnetx_200fm:pycls',
            UnknownName,
            "'regnetx_200fm': did you mean 'regnetx_200mf'",
        ),
        ('nowhere.pth', CheckpointUnreadable, 'nowhere.pth: there is no such file; give one, or'),
        ('a/nowhere', CheckpointUnreadable, 'a/nowhere: there is no such file; give one, or'),
    ],
)
def test_unknown_weights_are_refused(served, choice, kind, expected):
    config = config_of()
    before = config.to_dict()
    with pytest.raises(kind, match=expected) as caught:
        use_pretrained(config, choice)
    assert '\n' not in str(caught.value) and config.to_dict() == before


@pytest.mark.parametrize(
    ('backbone', 'expected'),
    [
        (dict(type='mmdet.ResNet', depth=50), 'goes with backbones of rexdense, .* mmdet.ResNet'),
        (dict(arch=None, depth=13, w_0=24, w_a=36.44, w_m=2.49, group_width=8), 'has no name'),
    ],
)
def test_backbones_without_published_weights(served, backbone, expected):
    with pytest.raises(InvalidArgument, match=expected):
        use_pretrained(config_of(**backbone), 'pycls')


def test_a_file_of_another_network_is_refused(tmp_path):
    state = rexdense.create_backbone('regnetx_400mf').state_dict()
    file = write_checkpoint(tmp_path / 'other.pth', state)
    with pytest.raises(CheckpointMismatch, match='regnetx_400mf, the module is regnetx_200mf'):
        use_pretrained(config_of(), str(file))


def test_the_normalisation_of_a_checkpoint_s_run():
    config = config_of()
    assert use_normalisation(config, dict(type='X', **RGB)) == ''
    said = use_normalisation(config, dict(type='X', seg_pad_val=1, **BGR))
    assert 'BGR, mean 103.53' in said
    assert config.model.data_preprocessor == dict(pad_val=7, **BGR)


@pytest.mark.parametrize('stored', [None, {}, dict(mean=None), dict(mean='x', std=[1]), [1]])
def test_a_checkpoint_without_normalisation_changes_nothing(stored):
    config = config_of()
    assert use_normalisation(config, stored) == ''
    assert config.model.data_preprocessor == dict(pad_val=7, **RGB)
