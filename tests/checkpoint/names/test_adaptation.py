"""Weights for a module with other classes, channels or a host model."""

import pytest
import torch

import rexdense
from rexdense.errors import CheckpointMismatch, InvalidArgument
from tests.checkpoint.trained_networks import Detector, assert_equal, named_by


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
