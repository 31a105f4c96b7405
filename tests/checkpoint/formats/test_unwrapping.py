"""Wrappers of training programs around a state dict."""

import pytest
import torch
from torch import nn

import rexdense
from rexdense.checkpoint import convert_checkpoint, export_backbone, read_checkpoint
from rexdense.checkpoint.schemes import SCHEMES
from rexdense.errors import CheckpointMismatch, CheckpointUnreadable, InvalidArgument
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


def below(prefix, state):
    return {prefix + key: value for key, value in state.items()}


# How programs store both; the last entry is what each file has as its main weights.
BOTH = {
    'timm': (lambda last, average: {'state_dict': last, 'state_dict_ema': average}, 'last'),
    'DeiT': (lambda last, average: {'model': last, 'model_ema': average}, 'last'),
    'pycls': (lambda last, average: {'model_state': last, 'ema_state': average}, 'last'),
    'mmengine': (
        lambda last, average: {
            'meta': {'mmengine_version': '0.10.7'},
            'state_dict': average,
            'ema_state_dict': {'steps': torch.tensor(3), **below('module.', last)},
        },
        'average',
    ),
    'one dictionary': (lambda last, average: last | below('ema_model.module.', average), 'last'),
    'Lightning': (
        lambda last, average: {
            'state_dict': below('net.', last) | below('net_ema.', average) | {'loss.scale': _ONE}
        },
        'last',
    ),
}
_ONE = torch.ones(1)


@pytest.mark.parametrize('program', BOTH)
def test_the_average_and_the_last_weights_are_both_had(program, state):
    combine, own = BOTH[program]
    state = native(state)
    average = {key: value * 2 for key, value in state.items()}
    content = combine(state, average)
    expected = {True: average, False: state, None: average if own == 'average' else state}
    for ema, wanted in expected.items():
        backbone = rexdense.create_backbone('rexnet_1.0', out_indices=(2,))
        report = rexdense.load_weights(backbone, content, ema=ema)
        assert_equal(
            backbone, {key: value for key, value in wanted.items() if key in backbone.state_dict()}
        )
        assert f'ema={wanted is not average}' in str(report)


@pytest.mark.parametrize('program', ['timm', 'mmengine'])
@pytest.mark.parametrize('write', [convert_checkpoint, export_backbone])
def test_the_average_and_the_last_weights_are_both_written(write, program, state, tmp_path):
    average = {key: value * 2 for key, value in state.items()}
    torch.save(BOTH[program][0](state, average), tmp_path / 'training.pth')
    for ema, wanted in ((True, average), (False, state)):
        path = tmp_path / f'{ema}.safetensors'
        report = write(tmp_path / 'training.pth', path, ema=ema)
        assert f'ema={not ema}' in str(report)
        backbone = rexdense.create_backbone('rexnet_1.0')
        rexdense.load_weights(backbone, path)
        body = {key: value for key, value in wanted.items() if key.startswith('backbone.')}
        assert_equal(backbone, native(body))


def test_lacking_ema_or_last_weights_are_refused(state):
    classifier = rexdense.create_classifier('rexnet_1.0')
    with pytest.raises(CheckpointMismatch, match='no EMA weights'):
        rexdense.load_weights(classifier, state, ema=True)
    for content in ({'state_dict_ema': state}, below('model_ema.', state)):
        assert rexdense.load_weights(classifier, content).complete
        assert rexdense.load_weights(classifier, content, ema=True).complete
        with pytest.raises(CheckpointMismatch, match='EMA weights alone'):
            rexdense.load_weights(classifier, content, ema=False)
    with pytest.raises(InvalidArgument, match=r"ema='yes': allowed are True"):
        rexdense.load_weights(classifier, state, ema='yes')


def test_an_average_of_torch_is_read_without_its_counter(trained, state):
    averaged = torch.optim.swa_utils.AveragedModel(trained)
    target = rexdense.create_classifier('rexnet_1.0')
    assert rexdense.load_weights(target, averaged.state_dict()).complete
    assert_equal(target, state)


@pytest.mark.parametrize(
    'wrap',
    [
        lambda key: key.replace('backbone.', 'backbone._orig_mod.'),
        lambda key: key.replace('.stages.', '._fsdp_wrapped_module.stages.'),
        lambda key: key.replace('project', '_checkpoint_wrapped_module.project'),
    ],
)
def test_wrappers_inside_are_taken_off(wrap, state):
    target = rexdense.create_classifier('rexnet_1.0')
    report = rexdense.load_weights(target, {wrap(key): value for key, value in state.items()})
    assert report.complete
    assert_equal(target, state)


def test_wrapped_modules_are_filled(state):
    wrapped = torch.compile(rexdense.create_classifier('rexnet_1.0'))
    assert rexdense.load_weights(wrapped, state).complete
    assert_equal(wrapped._orig_mod, state)
    part = rexdense.create_classifier('rexnet_1.0')
    part.backbone = torch.compile(part.backbone)
    assert rexdense.load_weights(part, state).complete
    assert torch.equal(part.head.fc.weight, state['head.fc.weight'])
    alone = nn.DataParallel(rexdense.create_backbone('rexnet_1.0'))
    assert rexdense.load_weights(alone, state).dropped == [
        key for key in state if key.startswith('head.')
    ]
    assert_equal(alone.module, native({k: v for k, v in state.items() if k.startswith('backbone')}))


def test_one_of_two_networks_is_chosen_by_its_prefix(state):
    doubled = {'student.' + key: value for key, value in state.items()}
    doubled |= {'teacher.' + key: value * 2 for key, value in state.items()}
    target = rexdense.create_backbone('rexnet_1.0')
    with pytest.raises(CheckpointMismatch, match="two networks, below 'student"):
        rexdense.load_weights(target, doubled)
    rexdense.load_weights(target, doubled, prefix='teacher.backbone.')
    assert torch.equal(target.stem.conv.weight, state['backbone.stem.conv.weight'] * 2)
    with pytest.raises(CheckpointMismatch, match=r"below 'nobody\.'"):
        rexdense.load_weights(target, doubled, prefix='nobody.')


def test_a_pickled_module_is_read_like_its_state(trained):
    target = rexdense.create_backbone('rexnet_1.0')
    assert rexdense.load_weights(target, {'model': trained}).complete
    assert_equal(target, trained.backbone.state_dict())


def test_networks_under_unknown_names_are_named(state):
    backbone = rexdense.create_backbone('rexnet_1.0')
    content = dict(epoch=3, optimizer={'state': {}}, student=state, teacher=nn.Linear(1, 1))
    said = r"tensors in 'student', 'teacher': choose one, such as torch\.load\(.*\['student'\]"
    with pytest.raises(CheckpointUnreadable, match=said):
        rexdense.load_weights(backbone, content)
    assert not rexdense.load_weights(backbone, content['student']).missing


@pytest.mark.parametrize('device', ['cuda:0', 'cuda:7', 'npu:0', 'xpu:1', 'mps'])
@pytest.mark.parametrize('mmap', [False, True])
def test_files_saved_on_a_device_that_is_not_here(device, mmap, tmp_path, monkeypatch):
    """The tensors come to the CPU."""
    path, weight = tmp_path / 'saved.pth', torch.arange(6.0).reshape(2, 3)
    with monkeypatch.context() as patch:
        patch.setattr(torch.serialization, 'location_tag', lambda storage: device)
        torch.save({'state_dict': {'weight': weight}}, path)
    read = read_checkpoint(path, mmap=mmap).content['state_dict']['weight']
    assert read.device.type == 'cpu' and torch.equal(read, weight)
