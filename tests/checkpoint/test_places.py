"""Prefixes of a network in a file: one or several words, flattened or not."""

import pytest
import torch
from torch import nn

import rexdense
from rexdense.arch import architecture
from rexdense.checkpoint import SCHEMES, convert_checkpoint, export_backbone
from rexdense.checkpoint.names.renaming import from_native
from rexdense.errors import CheckpointUnreadable, InvalidArgument
from tests.checkpoint.names.test_foreign_networks import NAMED, first_levels
from tests.checkpoint.trained_networks import assert_equal, native

PREFIXES = (
    '',
    'encoder.',
    'model.',
    'module.',
    '_orig_mod.',
    'backbone.',
    'encoder.model.',
    'body.',
    'module.backbone.body.',
    'model._orig_mod.backbone.',
)


def shares():
    """Return the networks of each scheme with a third of the prefixes each, or all if few."""
    for scheme in dict.fromkeys(scheme for _, scheme in NAMED):
        names = [name for name, other in NAMED if other == scheme]
        parts = min(3, len(names))
        for place, name in enumerate(names):
            yield name, scheme, PREFIXES[place % parts :: parts]


def test_the_shares_are_all():
    found = {(scheme, prefix) for _, scheme, prefixes in shares() for prefix in prefixes}
    assert found == {(scheme, prefix) for _, scheme in NAMED for prefix in PREFIXES}


@pytest.mark.parametrize(('name', 'scheme', 'prefixes'), list(shares()))
def test_every_naming_is_read_below_every_prefix(name, scheme, prefixes):
    source = rexdense.create_backbone(name, out_indices=(1,))
    theirs = from_native(source.state_dict(), SCHEMES[scheme], architecture(name))
    for prefix in prefixes:
        target = rexdense.create_backbone(name, out_indices=(1,))
        content = {prefix + key: value for key, value in theirs.items()}
        report = rexdense.load_weights(target, content | {'decoder.conv.bias': torch.ones(2)})
        assert (report.dropped, report.complete) == (['decoder.conv.bias'], True)
        counted = scheme != 'mindcv'  # MindSpore has no batch counters.
        assert_equal(target, {k: v for k, v in source.state_dict().items() if counted or v.dim()})


@pytest.mark.parametrize('name', ['rexnet_1.0', 'rexnetr_1.0'])
def test_the_flattened_names_are_those_of_timms_extractor(name):
    """In the form of ``features_only=True`` and smp's ``tu-`` encoders, seen in timm 1.0.31."""
    keys = list(first_levels(name, 'timm_features'))
    assert keys[:2] == ['stem.conv.weight', 'stem.bn.weight']
    assert keys[6] == 'features_0.conv_dw.conv.weight'
    assert 'features_2.conv_pwl.bn.running_var' in keys


def test_a_part_of_any_name_is_filled_with_what_lies_beside_it(state):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = rexdense.create_backbone('rexnet_1.0', out_indices=(1,))
            self.decoder = nn.Conv2d(2, 2, 1)

    source, target = Model(), Model()
    report = rexdense.load_weights(target, source.state_dict())
    assert report.complete and not report.dropped
    assert_equal(target, source.state_dict())


def test_a_module_is_a_checkpoint_too(trained):
    target = rexdense.create_backbone('rexnet_1.0')
    rexdense.load_weights(target, trained)
    assert_equal(target, native(trained.backbone.state_dict()))


WRONG = [None, 7, b'weights.pth', '', ['weights.pth'], {1, 2}, torch.ones(3), object()]


@pytest.mark.parametrize('checkpoint', WRONG, ids=lambda value: type(value).__name__)
def test_arguments_that_are_no_checkpoint_are_refused_in_one_line(checkpoint, tmp_path):
    target = rexdense.create_backbone('regnety_200mf', out_indices=(0,))
    for use in (
        lambda: rexdense.load_weights(target, checkpoint),
        lambda: convert_checkpoint(checkpoint, tmp_path / 'a.pth'),
        lambda: export_backbone(checkpoint, tmp_path / 'a.pth'),
    ):
        with pytest.raises(
            InvalidArgument, match=r'checkpoint=.*: give the path of a file'
        ) as error:
            use()
        assert '\n' not in str(error.value) and len(str(error.value)) < 200
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('content', [{}, {'a': None}, {'state_dict': {}}, {1: torch.ones(2)}])
def test_a_dictionary_without_tensors_is_refused(content):
    target = rexdense.create_backbone('regnety_200mf', out_indices=(0,))
    with pytest.raises(CheckpointUnreadable, match='no tensors by name'):
        rexdense.load_weights(target, content)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'input_channels': 'mean'}, "allowed are 'sum' and 'repeat'"),
        ({'ema': 1}, 'ema=1: allowed are True'),
        ({'ema': 'last'}, 'allowed are True'),
    ],
)
def test_options_are_looked_at_before_the_file(options, message):
    target = rexdense.create_backbone('regnety_200mf', out_indices=(0,))
    with pytest.raises(InvalidArgument, match=message):
        rexdense.load_weights(target, target.state_dict(), **options)


@pytest.mark.parametrize('module', [None, 'weights.pth', {}])
def test_arguments_that_are_no_module_are_refused(module):
    with pytest.raises(InvalidArgument, match='give the network that is to be filled'):
        rexdense.load_weights(module, {})
