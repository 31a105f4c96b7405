"""Renaming of whole networks to every project's names and back."""

import pytest
import torch

import rexdense
from rexdense.arch import architecture
from rexdense.checkpoint.names.identification import recognise
from rexdense.checkpoint.names.renaming import from_native, to_native
from rexdense.checkpoint.schemes import SCHEMES
from rexdense.errors import CheckpointMismatch
from tests.checkpoint.trained_networks import assert_equal, named_by, native


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
        # A bare ResNeXt of OpenMMLab has torchvision's names, except for its head.
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
