"""What training programs wrap around a state dict."""

import pytest
import torch

import rexdense
from rexdense.checkpoint.schemes import SCHEMES
from rexdense.errors import CheckpointMismatch
from tests.checkpoint.trained_networks import assert_equal, named_by, native

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


def test_one_of_two_networks_is_chosen_by_its_prefix(state):
    doubled = {'student.' + key: value for key, value in state.items()}
    doubled |= {'teacher.' + key: value * 2 for key, value in state.items()}
    target = rexdense.create_backbone('rexnet_1.0')
    rexdense.load_weights(target, doubled, prefix='teacher.backbone.')
    assert torch.equal(target.stem.conv.weight, state['backbone.stem.conv.weight'] * 2)
    with pytest.raises(CheckpointMismatch, match=r"below 'nobody\.'"):
        rexdense.load_weights(target, doubled, prefix='nobody.')


def test_a_pickled_module_is_read_like_its_state(trained):
    target = rexdense.create_backbone('rexnet_1.0')
    assert rexdense.load_weights(target, {'model': trained}).complete
    assert_equal(target, trained.backbone.state_dict())
