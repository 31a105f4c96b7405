"""Refusals by backbones, and their messages."""

import pytest
import torch

import rexdense
from rexdense.errors import InvalidArgument, RexdenseError, UnknownName
from rexdense.models import RegNet, ResNeXt, ReXNet, ReXNetLite
from tests.models.networks import SMALL, image


def refuse(kind, build, *parts):
    """Check that ``build`` raises ``kind`` with a line that contains all parts."""
    with pytest.raises(kind) as caught:
        build()
    message = str(caught.value)
    assert isinstance(caught.value, RexdenseError)
    assert '\n' not in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ('arguments', 'parts'),
    [
        (dict(output_stride=4), ('output_stride=4', '8, 16 and 32')),
        (dict(out_indices=(0, 7)), ('7 is no level', '0 to 4')),
        (dict(out_indices=()), ('give a non-empty list',)),
        (dict(frozen_stages=5), ('frozen_stages=5', '-1 (none) to 4')),
        (dict(frozen_stages=3, out_indices=(0, 2)), ('frozen_stages=3', 'to 2', 'c3')),
        (dict(frozen_stages=-2), ('frozen_stages=-2',)),
        (dict(frozen_stages='all'), ("frozen_stages='all'",)),
        (dict(in_channels=0), ('in_channels=0', 'above 0')),
        (dict(in_channels=2.5), ('in_channels=2.5', 'whole number')),
        (dict(in_channels=2**63), (f'of {2**63} to', 'fewer in_channels')),
        (dict(drop_path_rate=1.0), ('drop_path_rate=1.0', 'not including, 1')),
        (dict(drop_path_rate=-0.1), ('drop_path_rate=-0.1',)),
        (dict(with_cp='activations'), ("with_cp='activations'", "recompute='activations'")),
        (dict(outindices=(1,)), ("takes no 'outindices'", "did you mean 'out_indices'")),
        (dict(pretrained=1), ('pretrained=1: give True',)),
    ],
    ids=str,
)
@pytest.mark.parametrize('name', ['rexnet_1.0', 'regnety_200mf', 'resnext50_32x4d'])
def test_arguments_outside_what_is_allowed(name, arguments, parts):
    refuse(InvalidArgument, lambda: rexdense.create_backbone(name, **arguments), *parts)


def test_unknown_names_get_the_closest():
    refuse(UnknownName, lambda: rexdense.create_backbone('rexnet_1.2'), "'rexnet_1.3'")
    refuse(UnknownName, lambda: rexdense.create_classifier('regnetx_800'), "'regnetx_800mf'")
    refuse(UnknownName, lambda: ReXNet('rexnet'), "no backbone is called 'rexnet'")


@pytest.mark.parametrize(
    ('kind', 'name', 'family'),
    [
        (ReXNet, 'rexnet_lite_1.0', 'rexnet_lite'),
        (ReXNetLite, 'rexnet_1.0', 'rexnet'),
        (RegNet, 'resnext50_32x4d', 'resnext'),
        (ResNeXt, 'regnetx_200mf', 'regnet'),
    ],
)
def test_a_class_builds_its_own_family_only(kind, name, family):
    refuse(InvalidArgument, lambda: kind(name), kind.__name__, repr(name), repr(family))


def test_a_rule_without_a_name_needs_all_its_arguments():
    refuse(InvalidArgument, lambda: RegNet(w_0=24), 'needs w_a, w_m, depth, group_width')


@pytest.mark.parametrize('name', SMALL)
@pytest.mark.parametrize(
    ('x', 'parts'),
    [
        (image(3, 64, 64), ('(3, 64, 64)', '(N, 3, H, W)')),
        (image(1, 1, 3, 64, 64), ('(N, 3, H, W)',)),
        (image(1, 4, 64, 64), ('(1, 4, 64, 64)', 'in_channels')),
        (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), ('torch.uint8', '.float()')),
        ([image(3, 64, 64)], ('a list', 'stack the images')),
    ],
    ids=['rank 3', 'rank 5', 'channels', 'integers', 'list'],
)
def test_inputs_of_another_kind(name, x, parts):
    backbone = rexdense.create_backbone(name, out_indices=(0,)).eval()
    refuse(InvalidArgument, lambda: backbone(x), type(backbone).__name__, *parts)


def test_a_refused_freeze_changes_nothing():
    backbone = rexdense.create_backbone('rexnet_1.0', frozen_stages=1)
    refuse(InvalidArgument, lambda: backbone.freeze(9), 'frozen_stages=9')
    assert backbone.frozen_stages == 1
    assert not backbone.stem.conv.weight.requires_grad
