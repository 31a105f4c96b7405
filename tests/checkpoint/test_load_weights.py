"""Loading of checkpoints into modules, and the refusals."""

import copy

import pytest
import torch
from torch import nn

import rexdense
from rexdense.checkpoint import write_checkpoint
from rexdense.errors import CheckpointMismatch, InvalidArgument, UnknownName
from tests.checkpoint.trained_networks import assert_equal, named_by


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


def test_a_module_without_a_backbone_is_refused(state):
    with pytest.raises(InvalidArgument, match='holds no backbone'):
        rexdense.load_weights(nn.Conv2d(3, 3, 1), state)
    both = nn.ModuleList([rexdense.create_backbone('rexnet_1.0') for _ in range(2)])
    with pytest.raises(InvalidArgument, match='holds 0, 1'):
        rexdense.load_weights(both, state)


def in_part(module):
    module.head.to('meta')
    return module


@pytest.mark.parametrize('placed', [lambda module: module.to('meta'), in_part])
def test_a_module_without_memory_is_refused(placed, state):
    module = placed(rexdense.create_classifier('rexnet_1.0'))
    with pytest.raises(InvalidArgument, match=r"on the device 'meta'.*to_empty"):
        rexdense.load_weights(module, state)


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors', '.ckpt'])
def test_every_file_format_fills_a_module(suffix, state, tmp_path):
    path = write_checkpoint(tmp_path / f'a{suffix}', state)
    target = rexdense.create_classifier('rexnet_1.0')
    report = rexdense.load_weights(target, path)
    assert report.checkpoint == str(path)
    assert_equal(target, {key: value for key, value in state.items() if 'tracked' not in key})


@pytest.mark.parametrize('kind', ['.pth', '.safetensors', '.ckpt', 'before torch 1.6'])
def test_the_name_of_a_file_says_nothing(kind, state, tmp_path):
    path = tmp_path / 'weights.of.rexnet'
    if kind.startswith('.'):
        write_checkpoint(tmp_path / f'a{kind}', state).rename(path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=False)
    target = rexdense.create_backbone('rexnet_1.0')
    assert rexdense.load_weights(target, path).source == 'rexdense'


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
