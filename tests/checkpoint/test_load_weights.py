"""What goes where when a checkpoint fills a module, and what is refused."""

import copy

import pytest
import torch
from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import nn

import rexdense
from rexdense.arch import architecture
from rexdense.checkpoint import convert_checkpoint, identify, write_checkpoint
from rexdense.checkpoint.identification import recognise
from rexdense.checkpoint.renaming import from_native, to_native
from rexdense.checkpoint.schemes import SCHEMES
from rexdense.errors import CheckpointMismatch, InvalidArgument, UnknownName


class Detector(BaseModule):
    """As mmdet's: a backbone, a neck that starts anew, a head for classes."""

    def __init__(self, name='rexnet_1.0', classes=3, init_cfg=None, backbone_init=None):
        super().__init__(init_cfg)
        self.backbone = rexdense.create_backbone(name, init_cfg=backbone_init)
        self.neck = nn.Conv2d(8, 8, 1)
        self.bbox_head = nn.Linear(8, classes)


@pytest.fixture(scope='module')
def trained():
    """A classifier whose every tensor differs from a new one's, its counters too."""
    torch.manual_seed(0)
    model = rexdense.create_classifier('rexnet_1.0')
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5)
        else:
            tensor.fill_(7)
    return model


@pytest.fixture(scope='module')
def state(trained):
    return trained.state_dict()


def native(state):
    return {key.removeprefix('backbone.'): value for key, value in state.items()}


def named_by(scheme, state):
    return from_native(native(state), SCHEMES[scheme], architecture('rexnet_1.0'))


def assert_equal(module, expected):
    held = module.state_dict()
    for key, value in expected.items():
        assert torch.equal(held[key], value), key


WRAPPINGS = {
    'bare': lambda state: state,
    'state_dict': lambda state: {'epoch': 3, 'state_dict': state, 'optimizer': {'state': {}}},
    'model': lambda state: {'model': state, 'args': None},
    'model_state': lambda state: {'model_state': state, 'ema_state': state},
    'nested': lambda state: {'model': {'state_dict': state}},
    'only an average': lambda state: {'state_dict_ema': state},
    'data parallel': lambda state: {'module.' + key: value for key, value in state.items()},
    'compiled, data parallel': lambda state: {
        'state_dict': {'module._orig_mod.' + key: value for key, value in state.items()}
    },
    'below a word': lambda state: {'encoder.' + key: value for key, value in state.items()},
}


@pytest.mark.parametrize(
    ('scheme', 'wrapping'),
    [
        *(('rexdense', wrapping) for wrapping in WRAPPINGS),
        *(('timm', wrapping) for wrapping in WRAPPINGS),
        ('clovaai', 'data parallel'),
        ('mindcv', 'bare'),
    ],
)
def test_every_wrapping_of_every_naming_is_understood(wrapping, scheme, state):
    content = WRAPPINGS[wrapping](named_by(scheme, state))
    backbone = rexdense.create_backbone('rexnet_1.0')
    report = rexdense.load_weights(backbone, content)
    assert report.source == SCHEMES[scheme].title
    assert report.architecture == 'rexnet_1.0'
    counters = scheme == 'mindcv'
    assert_equal(
        backbone,
        {
            key: value
            for key, value in native(state).items()
            if not key.startswith('head.') and not (counters and key.endswith('tracked'))
        },
    )
    classifier = rexdense.create_classifier('rexnet_1.0')
    assert rexdense.load_weights(classifier, content, source=scheme).dropped == []
    assert torch.equal(classifier.head.fc.weight, state['head.fc.weight'])


def test_a_renaming_loses_nothing(state):
    network = architecture('rexnet_1.0')
    with pytest.raises(CheckpointMismatch, match=r'no names for 1 tensors, first head\.extra'):
        from_native({**native(state), 'head.extra': torch.ones(1)}, SCHEMES['timm'], network)
    body = {key: value for key, value in native(state).items() if not key.startswith('head.')}
    assert len(from_native(body, SCHEMES['timm'], network)) == len(body)
    del body['stages.2.0.project.conv.weight']
    with pytest.raises(CheckpointMismatch, match=r'1 tensors are missing for timm, first stages'):
        from_native(body, SCHEMES['timm'], network)
    with pytest.raises(CheckpointMismatch, match='torchvision has no such rexnet'):
        from_native(native(state), SCHEMES['torchvision'], network)


@pytest.mark.parametrize('scheme', ['clovaai', 'timm', 'mindcv'])
def test_a_renaming_there_and_back_changes_no_bit(scheme, state):
    theirs = named_by(scheme, state)
    back = to_native(theirs, recognise(theirs), architecture('rexnet_1.0'))
    expected = native(state)
    if scheme == 'mindcv':
        expected = {key: value for key, value in expected.items() if not key.endswith('tracked')}
    assert set(back) == set(expected)
    assert all(torch.equal(back[key], expected[key]) for key in expected)


def test_the_average_is_taken_when_asked_for(state):
    averaged = {key: value * 2 for key, value in state.items()}
    content = {'state_dict': state, 'state_dict_ema': averaged}
    classifier = rexdense.create_classifier('rexnet_1.0')
    report = rexdense.load_weights(classifier, content)
    assert 'averaged=True' in str(report)
    assert torch.equal(classifier.head.fc.weight, state['head.fc.weight'])
    rexdense.load_weights(classifier, content, averaged=True)
    assert torch.equal(classifier.head.fc.weight, averaged['head.fc.weight'])
    with pytest.raises(CheckpointMismatch, match='no averaged weights'):
        rexdense.load_weights(classifier, state, averaged=True)


@pytest.mark.parametrize('deepest', range(5))
def test_levels_that_are_not_built_are_left_out(deepest, state):
    backbone = rexdense.create_backbone('rexnet_1.0', out_indices=(deepest,))
    report = rexdense.load_weights(backbone, state)
    assert report.missing == report.unexpected == []
    assert len(report.loaded) == len(backbone.state_dict())
    assert {key.split('.')[2] for key in report.dropped if '.stages.' in key} == {
        str(level) for level in range(deepest + 1, 5)
    }


def test_variants_of_a_named_network_exchange_weights():
    source = rexdense.create_classifier('rexnet_1.0', width_mult=1.7, depth_mult=1.2)
    target = rexdense.create_backbone('rexnet_1.0', width_mult=1.7, depth_mult=1.2)
    report = rexdense.load_weights(target, source.state_dict())
    assert 'no named one' in report.architecture
    assert_equal(target, source.backbone.state_dict())


def test_a_detector_is_filled_whole_or_by_its_backbone(state):
    source, target = Detector(), Detector()
    report = rexdense.load_weights(target, source.state_dict())
    assert report.complete and not report.dropped
    assert_equal(target, source.state_dict())

    with pytest.raises(CheckpointMismatch, match=r'neck\.weight is missing.*backbone_only=True'):
        rexdense.load_weights(target, state)
    report = rexdense.load_weights(target, state, backbone_only=True)
    assert set(report.kept) == {
        f'{part}.{name}' for part in ('neck', 'bbox_head') for name in ('weight', 'bias')
    }
    assert torch.equal(target.neck.weight, source.neck.weight)
    assert torch.equal(target.backbone.stem.conv.weight, state['backbone.stem.conv.weight'])


def test_a_backbone_comes_out_of_a_detector():
    source, target = Detector(), rexdense.create_backbone('rexnet_1.0')
    report = rexdense.load_weights(target, {'state_dict': source.state_dict()})
    assert set(report.dropped) == {
        f'{part}.{name}' for part in ('neck', 'bbox_head') for name in ('weight', 'bias')
    }
    assert_equal(target, source.backbone.state_dict())


def test_a_detector_of_other_classes_keeps_its_own_layer():
    source, target = Detector(classes=80), Detector(classes=3)
    own = target.bbox_head.weight.clone()
    with pytest.raises(CheckpointMismatch, match=r'bbox_head\.weight is \(80, 8\).*drop_head=True'):
        rexdense.load_weights(target, source.state_dict())
    report = rexdense.load_weights(target, source.state_dict(), drop_head=True)
    assert report.kept == ['bbox_head.weight', 'bbox_head.bias']
    assert torch.equal(target.bbox_head.weight, own)
    assert torch.equal(target.neck.weight, source.neck.weight)


@pytest.mark.parametrize('scheme', ['rexdense', 'clovaai', 'timm', 'mindcv'])
def test_a_classifier_of_other_classes_keeps_its_last_layer(scheme, state):
    content = named_by(scheme, state)
    target = rexdense.create_classifier('rexnet_1.0', num_classes=10)
    own = target.head.fc.weight.clone()
    with pytest.raises(CheckpointMismatch, match=r'head\.fc\.weight is \(1000, 1280\)'):
        rexdense.load_weights(target, content)
    report = rexdense.load_weights(target, content, drop_head=True)
    assert report.kept == ['head.fc.weight', 'head.fc.bias']
    assert torch.equal(target.head.fc.weight, own)
    assert torch.equal(target.head.final.conv.weight, state['head.final.conv.weight'])


def test_a_classifier_without_a_head_in_the_file(state):
    body = {key: value for key, value in state.items() if key.startswith('backbone.')}
    target = rexdense.create_classifier('rexnet_1.0')
    with pytest.raises(CheckpointMismatch, match=r'head\.final\.conv\.weight is missing'):
        rexdense.load_weights(target, body)
    assert len(rexdense.load_weights(target, body, drop_head=True).kept) == 7


@pytest.mark.parametrize('channels', [1, 2, 4, 6])
def test_other_input_channels_are_summed_or_repeated(channels, state):
    target = rexdense.create_backbone('rexnet_1.0', in_channels=channels, out_indices=(0,))
    with pytest.raises(CheckpointMismatch, match="input_channels='sum' or 'repeat'"):
        rexdense.load_weights(target, state)
    with pytest.raises(InvalidArgument, match="'sum' and 'repeat'"):
        rexdense.load_weights(target, state, input_channels='mean')

    reference = rexdense.create_backbone('rexnet_1.0', out_indices=(0,)).eval()
    rexdense.load_weights(reference, state)
    grey = torch.rand(1, 1, 8, 8)
    report = rexdense.load_weights(target, state, input_channels='sum')
    assert report.preprocessing.mean == (114.495,) * channels
    assert 'adapted from 3 to' in str(report)
    with torch.no_grad():
        torch.testing.assert_close(
            target.stem.conv(grey.expand(-1, channels, -1, -1)),
            reference.stem.conv(grey.expand(-1, 3, -1, -1)),
        )
    report = rexdense.load_weights(target, state, input_channels='repeat')
    assert (
        report.preprocessing.mean == (123.675, 116.28, 103.53, 123.675, 116.28, 103.53)[:channels]
    )
    for index in range(channels):
        torch.testing.assert_close(
            target.stem.conv.weight[:, index],
            reference.stem.conv.weight[:, index % 3] * 3 / channels,
        )


def test_another_network_is_named_and_nothing_is_touched(state):
    target = rexdense.create_backbone('rexnet_1.3')
    before = copy.deepcopy(target.state_dict())
    message = (
        r'looks like rexnet_1\.0, the module is rexnet_1\.3; \d+ tensors differ, \d+ fit; first'
    )
    with pytest.raises(CheckpointMismatch, match=message):
        rexdense.load_weights(target, state)
    assert_equal(target, before)


def test_one_missing_tensor_is_named_and_nothing_is_touched(state):
    name = 'backbone.stages.3.2.project.norm.running_var'
    target = rexdense.create_backbone('rexnet_1.0')
    before = copy.deepcopy(target.state_dict())
    content = {key: value for key, value in state.items() if key != name}
    with pytest.raises(
        CheckpointMismatch, match=r'stages\.3\.2\.project\.norm\.running_var is missing'
    ):
        rexdense.load_weights(target, content)
    assert_equal(target, before)
    report = rexdense.load_weights(target, content, strict=False)
    assert report.missing == [name.removeprefix('backbone.')]
    assert torch.equal(target.stem.conv.weight, state['backbone.stem.conv.weight'])


def test_a_tensor_too_many_is_named(state):
    target = rexdense.create_backbone('rexnet_1.0')
    with pytest.raises(CheckpointMismatch, match=r'backbone\.stem\.extra has no place'):
        rexdense.load_weights(target, {**state, 'backbone.stem.extra': torch.ones(1)})


def test_batch_counters_may_be_missing_or_left_over(state):
    without = {key: value for key, value in state.items() if not key.endswith('tracked')}
    assert rexdense.load_weights(rexdense.create_backbone('rexnet_1.0'), without).complete
    target = rexdense.create_backbone('rexnet_1.0', norm_cfg=dict(type='GN'))
    with pytest.raises(CheckpointMismatch, match='running_mean has no place'):
        rexdense.load_weights(target, state)


def test_nothing_matched_is_an_error_even_when_not_strict():
    target = rexdense.create_backbone('rexnet_1.0')
    for content in ({'a.weight': torch.ones(1)}, {'features.0.weight': torch.ones(1)}):
        with pytest.raises(CheckpointMismatch):
            rexdense.load_weights(target, content, strict=False)


def test_a_forced_source_is_the_one_that_is_tried(state):
    target = rexdense.create_backbone('rexnet_1.0')
    theirs = named_by('timm', state)
    assert rexdense.load_weights(target, theirs, source='timm').complete
    with pytest.raises(CheckpointMismatch, match='as clovaai names them'):
        rexdense.load_weights(target, theirs, source='clovaai')
    with pytest.raises(UnknownName, match="did you mean 'clovaai'"):
        rexdense.load_weights(target, theirs, source='clova')


def test_one_of_two_networks_is_chosen_by_its_prefix(state):
    doubled = {'student.' + key: value for key, value in state.items()}
    doubled |= {'teacher.' + key: value * 2 for key, value in state.items()}
    target = rexdense.create_backbone('rexnet_1.0')
    rexdense.load_weights(target, doubled, prefix='teacher.backbone.')
    assert torch.equal(target.stem.conv.weight, state['backbone.stem.conv.weight'] * 2)
    with pytest.raises(CheckpointMismatch, match=r"below 'nobody\.'"):
        rexdense.load_weights(target, doubled, prefix='nobody.')


def test_values_that_are_no_numbers_load_only_when_allowed(state):
    broken = {key: value.clone() for key, value in state.items()}
    broken['backbone.stem.conv.weight'][0, 0, 0, 0] = float('nan')
    target = rexdense.create_backbone('rexnet_1.0')
    with pytest.raises(CheckpointMismatch, match=r'NaN .* 1 tensors \(stem\.conv\.weight\)'):
        rexdense.load_weights(target, broken)
    assert rexdense.load_weights(target, broken, allow_non_finite=True).complete


def test_large_finite_values_are_no_infinities():
    target = rexdense.create_backbone('rexnet_1.0', out_indices=(0,))
    large = target.state_dict()
    large['stem.conv.weight'] = torch.full_like(large['stem.conv.weight'], 3e38)
    assert rexdense.load_weights(target, large).complete


def test_half_precision_fills_a_float_module(state):
    halves = {
        key: value.bfloat16() if value.is_floating_point() else value
        for key, value in state.items()
    }
    target = rexdense.create_backbone('rexnet_1.0')
    rexdense.load_weights(target, halves)
    assert target.stem.conv.weight.dtype == torch.float32
    assert torch.equal(target.stem.conv.weight.bfloat16(), halves['backbone.stem.conv.weight'])


def test_a_pickled_module_is_read_like_its_state(trained):
    target = rexdense.create_backbone('rexnet_1.0')
    assert rexdense.load_weights(target, {'model': trained}).complete
    assert_equal(target, trained.backbone.state_dict())


def test_a_module_without_a_backbone_is_refused(state):
    with pytest.raises(InvalidArgument, match='holds no backbone'):
        rexdense.load_weights(nn.Conv2d(3, 3, 1), state)
    both = nn.ModuleList([rexdense.create_backbone('rexnet_1.0') for _ in range(2)])
    with pytest.raises(InvalidArgument, match='holds 0, 1'):
        rexdense.load_weights(both, state)


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors', '.ckpt'])
def test_every_file_format_fills_a_module(suffix, state, tmp_path):
    path = write_checkpoint(tmp_path / f'a{suffix}', state)
    target = rexdense.create_classifier('rexnet_1.0')
    report = rexdense.load_weights(target, path)
    assert report.checkpoint == str(path)
    assert_equal(target, {key: value for key, value in state.items() if 'tracked' not in key})


def test_the_report_is_short(state, tmp_path):
    path = write_checkpoint(tmp_path / 'a.pth', named_by('timm', state))
    report = rexdense.load_weights(rexdense.create_backbone('rexnet_1.0'), path)
    lines = str(report).splitlines()
    assert [line.split()[0] for line in lines] == [
        'checkpoint',
        'source',
        'architecture',
        'loaded',
        'dropped',
        'preprocessing',
    ]
    assert lines[3].split(maxsplit=1)[1] == '405 tensors, 404 of them renamed'
    assert ('features.0.conv_dw.conv.weight', 'stages.0.0.depthwise.conv.weight') in report.renamed


@pytest.mark.parametrize('name', rexdense.list_backbones())
def test_every_named_network_is_identified(name):
    with torch.device('meta'):
        model = rexdense.create_classifier(name)
    assert identify(model.state_dict()) == name
    assert identify(model.backbone.state_dict()) == name


RESIDUAL_SCHEMES = [
    *(('regnety_400mf', scheme) for scheme in ('torchvision', 'timm', 'pycls', 'mindcv')),
    ('regnetx_400mf', 'openmmlab'),
    *(('resnext50_32x4d', scheme) for scheme in ('torchvision', 'openmmlab', 'mindcv')),
]


@pytest.mark.parametrize(('name', 'scheme'), RESIDUAL_SCHEMES)
def test_residual_networks_come_out_of_every_naming(name, scheme):
    source, target = rexdense.create_classifier(name), rexdense.create_classifier(name)
    network = source.backbone.architecture
    theirs = from_native(native(source.state_dict()), SCHEMES[scheme], network)
    nested = {
        key if key.startswith('head.') else f'backbone.{key}': value
        for key, value in theirs.items()
    }
    for content in (theirs, nested) if scheme == 'openmmlab' else (theirs,):
        report = rexdense.load_weights(target, {'state_dict': content})
        assert report.architecture == name
        # A bare ResNeXt of OpenMMLab has torchvision's names, but for its head.
        assert report.source == SCHEMES[scheme].title
        assert_equal(target, source.state_dict())


@pytest.mark.parametrize('name', ['resnext50_32x4d', 'regnetx_800mf'])
def test_a_detector_of_openmmlab_gives_its_backbone(name):
    source, target = rexdense.create_backbone(name), rexdense.create_backbone(name)
    theirs = from_native(source.state_dict(), SCHEMES['openmmlab'], source.architecture)
    content = {f'backbone.{key}': value for key, value in theirs.items()}
    content['neck.lateral_convs.0.conv.weight'] = torch.ones(1)
    report = rexdense.load_weights(target, {'state_dict': content})
    assert (report.source, report.dropped) == ('OpenMMLab', ['neck.lateral_convs.0.conv.weight'])
    assert_equal(target, source.state_dict())
    expected = 'BGR' if name.startswith('regnet') else 'RGB'
    assert report.preprocessing.channel_order == expected


def test_the_pooling_of_the_source_is_turned_on():
    source, target = (rexdense.create_backbone('resnext50_32x4d') for _ in range(2))
    theirs = from_native(source.state_dict(), SCHEMES['mindcv'], source.architecture)
    report = rexdense.load_weights(target, theirs)
    assert target.pool_padding == 'same'
    assert "pool_padding='same' is turned on" in str(report)
    # What is saved from there says nothing of it, so it stays as the config has it.
    rexdense.load_weights(target, source.state_dict())
    assert target.pool_padding == 'same'
    theirs = from_native(source.state_dict(), SCHEMES['torchvision'], source.architecture)
    rexdense.load_weights(target, theirs)
    assert target.pool_padding == 'symmetric'


def test_the_pooling_travels_through_a_conversion(tmp_path):
    source, target = (rexdense.create_backbone('resnext50_32x4d') for _ in range(2))
    theirs = from_native(source.state_dict(), SCHEMES['mindcv'], source.architecture)
    write_checkpoint(tmp_path / 'a.ckpt', theirs)
    for suffix in ('.pth', '.safetensors'):
        convert_checkpoint(tmp_path / 'a.ckpt', tmp_path / f'b{suffix}')
        target.pool_padding = 'symmetric'
        rexdense.load_weights(target, tmp_path / f'b{suffix}')
        assert target.pool_padding == 'same'


def test_a_network_of_a_family_that_the_project_lacks(state):
    target = rexdense.create_backbone('regnetx_200mf')
    with pytest.raises(CheckpointMismatch, match=r'looks like rexnet_1\.0 of clovaai/rexnet'):
        rexdense.load_weights(target, named_by('clovaai', state), strict=False)


def test_the_same_levels_of_two_networks_are_not_told_apart():
    backbone = rexdense.create_backbone('rexnet_1.0', out_indices=(0,))
    with pytest.raises(CheckpointMismatch, match=r'same in rexnet_0\.9, rexnet_1\.0'):
        identify(backbone.state_dict())
    assert rexdense.load_weights(backbone, backbone.state_dict()).architecture == 'rexnet_1.0'


class TestInConfigs:
    def test_a_backbone_is_filled(self, state, tmp_path):
        path = write_checkpoint(tmp_path / 'a.pth', named_by('clovaai', state))
        initialise = dict(type='rexdense.Pretrained', checkpoint=str(path))
        backbone = MODELS.build(
            dict(type='rexdense.ReXNet', arch='rexnet_1.0', init_cfg=initialise)
        )
        backbone.init_weights()
        assert torch.equal(backbone.stem.conv.weight, state['backbone.stem.conv.weight'])

    def test_a_detector_is_filled_and_its_parts_stay_filled(self, tmp_path):
        source = Detector()
        path = write_checkpoint(tmp_path / 'a.pth', source.state_dict())
        other = write_checkpoint(tmp_path / 'b.pth', Detector().backbone.state_dict())
        target = Detector(
            init_cfg=dict(type='rexdense.Pretrained', checkpoint=str(path)),
            backbone_init=dict(type='rexdense.Pretrained', checkpoint=str(other)),
        )
        target.init_weights()
        assert_equal(target, source.state_dict())

    def test_a_wrong_file_stops_the_run(self, state, tmp_path):
        path = write_checkpoint(tmp_path / 'a.pth', state)
        initialise = dict(type='rexdense.Pretrained', checkpoint=str(path))
        backbone = rexdense.create_backbone('rexnet_1.3', init_cfg=initialise)
        with pytest.raises(CheckpointMismatch, match=r'looks like rexnet_1\.0'):
            backbone.init_weights()
