"""Arguments of the rules: effects and refusals."""

import math

import pytest

from rexdense.arch import architecture, architecture_by_rule, feature_levels
from rexdense.arch.residual import BottleneckSpec, RegNetRule, ResNeXtRule
from rexdense.arch.rexnet import ReXNetLiteRule, ReXNetRule
from rexdense.arch.rounding import make_divisible
from rexdense.errors import InvalidArgument

REGNET = dict(w_0=24, w_a=36.44, w_m=2.49, depth=13, group_width=8)


def blocks_of(network):
    return [block for stage in network.stages for block in stage]


def test_rexnet_channels_grow_by_the_published_line():
    for width_mult in (1.0, 1.3, 2.0):
        blocks = blocks_of(architecture('rexnet_1.0', width_mult=width_mult))
        wished = [(16 + index * 180 / 16) * width_mult for index in range(16)]
        assert [block.out_channels for block in blocks] == pytest.approx(wished, abs=0.5)


def test_rexnet_0_9_keeps_the_first_widths_of_1_0():
    network = architecture('rexnet_0.9')
    assert network.stem_channels == 32
    assert network.stages[0][0].out_channels == 16


@pytest.mark.parametrize('depth_mult', [0.5, 1.0, 1.1, 2.0])
@pytest.mark.parametrize('name', ['rexnet_1.0', 'rexnet_lite_1.0', 'rexnetr_1.0'])
def test_depth_mult_rounds_the_depths_up(name, depth_mult):
    network = architecture(name, depth_mult=depth_mult)
    # The stages at stride 16 are two (3 and 3 blocks) in the rule and one level here.
    depths = [math.ceil(depth * depth_mult) for depth in (1, 2, 2, 3, 3, 5)]
    expected = [depths[0], depths[1], depths[2], depths[3] + depths[4], depths[5]]
    assert [len(stage) for stage in network.stages] == expected


@pytest.mark.parametrize('name', ['rexnet_1.0', 'rexnet_lite_1.0', 'rexnetr_1.0'])
def test_shortcuts_are_where_shape_allows(name):
    for block in blocks_of(architecture(name)):
        assert block.shortcut == (block.stride == 1 and block.in_channels <= block.out_channels)


def test_squeeze_excitation_begins_with_the_third_stage():
    squeezed = [block.squeeze_channels for block in blocks_of(architecture('rexnet_1.0'))]
    hidden = [block.hidden_channels for block in blocks_of(architecture('rexnet_1.0'))]
    assert squeezed[:3] == [0, 0, 0]
    assert squeezed[3:] == [channels // 12 for channels in hidden[3:]]
    assert not any(b.squeeze_channels for b in blocks_of(architecture('rexnet_lite_1.0')))
    assert not any(b.squeeze_channels for b in blocks_of(architecture('rexnet_1.0', se_ratio=0)))
    # 240 / 4, 288 / 4 and 384 / 4, rounded to multiples of 8.
    with_ratio = blocks_of(architecture('rexnet_lite_1.0', se_ratio=0.25))
    assert [block.squeeze_channels for block in with_ratio[3:6]] == [64, 72, 96]


@pytest.mark.parametrize('divisor', [4, 8, 16])
def test_channel_divisor_divides_every_count(divisor):
    network = architecture('rexnet_1.0', channel_divisor=divisor)
    for block in blocks_of(network):
        for count in (block.in_channels, block.hidden_channels, block.out_channels):
            assert count % divisor == 0
        assert block.squeeze_channels % divisor == 0
    assert network.classifier_widths == (1280,)
    assert architecture('rexnetr_1.0') == architecture('rexnet_1.0', channel_divisor=8)


@pytest.mark.parametrize('value', [1, 7, 8, 9, 38, 61, 100, 185])
@pytest.mark.parametrize('divisor', [1, 3, 8])
def test_make_divisible_rounds_to_the_nearest_and_little_down(value, divisor):
    rounded = make_divisible(value, divisor)
    assert rounded % divisor == 0
    assert rounded >= 0.9 * value
    assert abs(rounded - value) <= divisor


def test_regnet_overrides_change_the_line():
    wider = feature_levels('regnetx_800mf', w_0=64, group_width=8)
    assert wider != feature_levels('regnetx_800mf')
    assert all(level.channels % 8 == 0 for level in wider)
    with_se = architecture('regnetx_800mf', se_ratio=0.25)
    assert [b.squeeze_channels for b in blocks_of(with_se)] == [
        round(b.in_channels / 4) for b in blocks_of(with_se)
    ]


def test_group_width_is_lowered_to_a_narrow_stage():
    network = architecture('regnetx_8.0gf')
    assert {block.groups for block in network.stages[1]} == {1}
    assert network.stages[1][0].hidden_channels == 80


def test_resnext_overrides():
    network = architecture('resnext50_32x4d', depth=101, groups=64)
    assert network == architecture('resnext101_64x4d')
    assert architecture_by_rule(ResNeXtRule) == architecture('resnext50_32x4d')
    assert architecture('resnext50_32x4d', groups=1, base_width=64).stages[4][0].groups == 1


def test_a_rule_needs_no_name():
    assert architecture_by_rule(ReXNetRule, width_mult=1.3) == architecture('rexnet_1.3')
    assert architecture_by_rule(ReXNetLiteRule) == architecture('rexnet_lite_1.0')
    assert architecture_by_rule(RegNetRule, **REGNET) == architecture('regnetx_200mf')
    with pytest.raises(InvalidArgument, match=r'needs w_a, depth, group_width too.*regnetx_200mf'):
        architecture_by_rule(RegNetRule, w_0=24, w_m=2.5)


@pytest.mark.parametrize(
    ('name', 'overrides', 'message'),
    [
        *(
            ('rexnet_1.0', {argument: value}, f'{argument}=.*above 0')
            for argument in ('width_mult', 'depth_mult')
            for value in (0, -1.0, math.nan, math.inf, 'wide', None, True)
        ),
        ('rexnet_1.0', dict(channel_divisor=0), 'channel_divisor=0: give a whole number above 0'),
        ('rexnet_1.0', dict(channel_divisor=2.5), 'whole number'),
        ('rexnet_1.0', dict(se_ratio=-0.1), 'allowed are 0'),
        ('rexnet_lite_1.0', dict(se_ratio=1.5), 'allowed are 0'),
        *(
            ('regnetx_200mf', {argument: value}, f'{argument}={value}: give a whole number above 0')
            for argument in ('w_0', 'depth', 'group_width')
            for value in (0, -8, 8.5)
        ),
        ('rexnet_lite_1.0', dict(depth_mult=1e9), 'depth_mult=1000000000.0: .* more than 1000 blo'),
        ('regnetx_200mf', dict(depth=2**63), 'more than 1000 blocks; give a smaller number'),
        ('regnetx_200mf', dict(w_0=30), 'w_0=30: give a multiple of 8'),
        ('regnetx_200mf', dict(w_a=0), 'w_a=0: give a number above 0'),
        ('regnetx_200mf', dict(w_m=1.0), 'w_m=1.0: give a number above 1'),
        ('regnetx_200mf', dict(depth=3), r'give 3 stages.*4 are needed: raise w_a or depth'),
        ('regnetx_200mf', dict(w_m=1.3), r'stages.*4 are needed: raise w_m or lower depth'),
        ('regnety_200mf', dict(se_ratio=2), 'se_ratio=2: allowed are 0'),
        ('regnetx_200mf', dict(group_rounding='up'), 'allowed are nearest, torchvision'),
        ('resnext50_32x4d', dict(depth=34), 'depth=34: allowed are 50, 101, 152'),
        ('resnext50_32x4d', dict(groups=0), 'groups=0: give a whole number above 0'),
        ('resnext50_32x4d', dict(base_width=-4), 'base_width=-4: give a whole number above 0'),
        ('resnext50_32x4d', dict(pool_padding='valid'), 'allowed are same, symmetric'),
    ],
)
def test_values_outside_a_rule_are_refused(name, overrides, message):
    with pytest.raises(InvalidArgument, match=message) as caught:
        architecture(name, **overrides)
    assert '\n' not in str(caught.value)


def test_groups_must_divide_the_channels():
    with pytest.raises(InvalidArgument, match='3 groups do not divide the 64 channels'):
        BottleneckSpec(64, 64, 64, 1, groups=3, squeeze_channels=0, downsample=False)
