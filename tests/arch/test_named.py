"""The named networks, and the numbers that the references publish for them."""

import fnmatch
import importlib
import subprocess
import sys

import pytest

import rexdense
from rexdense.arch import architecture, channels, feature_levels, list_backbones
from rexdense.errors import InvalidArgument, UnknownName

REGNET_SIZES = ('200mf', '400mf', '600mf', '800mf', '1.6gf', '3.2gf', '4.0gf', '6.4gf')
REGNET_SIZES += ('8.0gf', '12gf', '16gf', '32gf')
NAMES = [
    *(f'rexnet_{width}' for width in (0.9, 1.0, 1.3, 1.5, 2.0, 2.2, 3.0)),
    *(f'rexnet_lite_{width}' for width in (1.0, 1.3, 1.5, 2.0)),
    *(f'rexnetr_{width}' for width in (1.0, 1.3, 1.5, 2.0, 3.0)),
    *(f'regnet{kind}_{size}' for kind in 'xy' for size in REGNET_SIZES),
    'regnetx_400mf_tv',
    'regnety_800mf_tv',
    'regnety_8.0gf_tv',
    'resnext50_32x4d',
    'resnext101_32x4d',
    'resnext101_64x4d',
    'resnext101_32x8d',
    'resnext152_32x4d',
]

# clovaai/rexnet's networks, measured level by level; ReXNet-R from timm 1.0.31.
REXNET_LEVELS = {
    'rexnet_0.9': [16, 36, 56, 117, 168],
    'rexnet_1.0': [16, 38, 61, 128, 185],
    'rexnet_1.3': [21, 50, 79, 167, 240],
    'rexnet_1.5': [24, 58, 92, 193, 277],
    'rexnet_2.0': [32, 77, 122, 257, 370],
    'rexnet_2.2': [35, 85, 134, 283, 406],
    'rexnet_3.0': [48, 116, 183, 386, 554],
    'rexnet_lite_1.0': [16, 40, 64, 128, 184],
    'rexnet_lite_1.3': [24, 48, 80, 160, 232],
    'rexnet_lite_1.5': [24, 56, 88, 192, 272],
    'rexnet_lite_2.0': [32, 80, 120, 248, 360],
}

# Depths, widths and group widths of the four stages in timm 1.0.31 (``regnetx_002`` ...).
REGNET_STAGES = {
    'regnetx_200mf': ((1, 1, 4, 7), (24, 56, 152, 368), (8, 8, 8, 8)),
    'regnetx_400mf': ((1, 2, 7, 12), (32, 64, 160, 384), (16, 16, 16, 16)),
    'regnetx_600mf': ((1, 3, 5, 7), (48, 96, 240, 528), (24, 24, 24, 24)),
    'regnetx_800mf': ((1, 3, 7, 5), (64, 128, 288, 672), (16, 16, 16, 16)),
    'regnetx_1.6gf': ((2, 4, 10, 2), (72, 168, 408, 912), (24, 24, 24, 24)),
    'regnetx_3.2gf': ((2, 6, 15, 2), (96, 192, 432, 1008), (48, 48, 48, 48)),
    'regnetx_4.0gf': ((2, 5, 14, 2), (80, 240, 560, 1360), (40, 40, 40, 40)),
    'regnetx_6.4gf': ((2, 4, 10, 1), (168, 392, 784, 1624), (56, 56, 56, 56)),
    'regnetx_8.0gf': ((2, 5, 15, 1), (80, 240, 720, 1920), (80, 120, 120, 120)),
    'regnetx_12gf': ((2, 5, 11, 1), (224, 448, 896, 2240), (112, 112, 112, 112)),
    'regnetx_16gf': ((2, 6, 13, 1), (256, 512, 896, 2048), (128, 128, 128, 128)),
    'regnetx_32gf': ((2, 7, 13, 1), (336, 672, 1344, 2520), (168, 168, 168, 168)),
    'regnety_200mf': ((1, 1, 4, 7), (24, 56, 152, 368), (8, 8, 8, 8)),
    'regnety_400mf': ((1, 3, 6, 6), (48, 104, 208, 440), (8, 8, 8, 8)),
    'regnety_600mf': ((1, 3, 7, 4), (48, 112, 256, 608), (16, 16, 16, 16)),
    'regnety_800mf': ((1, 3, 8, 2), (64, 128, 320, 768), (16, 16, 16, 16)),
    'regnety_1.6gf': ((2, 6, 17, 2), (48, 120, 336, 888), (24, 24, 24, 24)),
    'regnety_3.2gf': ((2, 5, 13, 1), (72, 216, 576, 1512), (24, 24, 24, 24)),
    'regnety_4.0gf': ((2, 6, 12, 2), (128, 192, 512, 1088), (64, 64, 64, 64)),
    'regnety_6.4gf': ((2, 7, 14, 2), (144, 288, 576, 1296), (72, 72, 72, 72)),
    'regnety_8.0gf': ((2, 4, 10, 1), (168, 448, 896, 2016), (56, 56, 56, 56)),
    'regnety_12gf': ((2, 5, 11, 1), (224, 448, 896, 2240), (112, 112, 112, 112)),
    'regnety_16gf': ((2, 4, 11, 1), (224, 448, 1232, 3024), (112, 112, 112, 112)),
    'regnety_32gf': ((2, 5, 12, 1), (232, 696, 1392, 3712), (232, 232, 232, 232)),
    'regnetx_400mf_tv': ((1, 2, 7, 12), (32, 64, 160, 400), (16, 16, 16, 16)),
    'regnety_800mf_tv': ((1, 3, 8, 2), (64, 144, 320, 784), (16, 16, 16, 16)),
    'regnety_8.0gf_tv': ((2, 4, 10, 1), (224, 448, 896, 2016), (56, 56, 56, 56)),
}


def test_every_name_of_the_design_is_an_architecture():
    assert sorted(list_backbones()) == sorted(NAMES)


@pytest.mark.parametrize('pattern', ['regnet*', 'rexnet_*', '*_tv', 'resnext101*', 'nothing*'])
def test_patterns_select_names(pattern):
    assert list_backbones(pattern) == [n for n in list_backbones() if fnmatch.fnmatch(n, pattern)]
    assert set(list_backbones(pattern)) == {n for n in NAMES if fnmatch.fnmatch(n, pattern)}


@pytest.mark.parametrize(('name', 'expected'), REXNET_LEVELS.items())
def test_rexnet_levels_are_the_reference_s(name, expected):
    assert [level.channels for level in feature_levels(name)] == expected


@pytest.mark.parametrize(('name', 'expected'), REGNET_STAGES.items())
def test_regnet_stages_are_the_reference_s(name, expected):
    stem_stage, *stages = architecture(name).stages
    assert stem_stage == ()
    assert tuple(len(stage) for stage in stages) == expected[0]
    for stage, width, group_width in zip(stages, *expected[1:], strict=True):
        assert {block.out_channels for block in stage} == {width}
        assert {block.hidden_channels // block.groups for block in stage} == {group_width}


@pytest.mark.parametrize('name', list_backbones('regnety*'))
def test_regnety_squeezes_a_quarter_of_the_block_s_input(name):
    blocks = [block for stage in architecture(name).stages for block in stage]
    assert all(block.squeeze_channels == round(block.in_channels / 4) for block in blocks)


def test_torchvision_s_rounding_changes_three_of_its_regnets():
    changed = {
        name
        for name in list_backbones('regnet*')
        if architecture(name) != architecture(name, group_rounding='torchvision')
    }
    of_torchvision = {'regnetx_400mf', 'regnety_800mf', 'regnety_8.0gf'}
    assert changed == of_torchvision | {'regnetx_4.0gf', 'regnety_4.0gf'}
    for name in of_torchvision:
        assert architecture(f'{name}_tv') == architecture(name, group_rounding='torchvision')


@pytest.mark.parametrize(
    ('name', 'depths', 'widths'),
    [
        ('resnext50_32x4d', (3, 4, 6, 3), (128, 256, 512, 1024)),
        ('resnext101_32x4d', (3, 4, 23, 3), (128, 256, 512, 1024)),
        ('resnext101_64x4d', (3, 4, 23, 3), (256, 512, 1024, 2048)),
        ('resnext101_32x8d', (3, 4, 23, 3), (256, 512, 1024, 2048)),
        ('resnext152_32x4d', (3, 8, 36, 3), (128, 256, 512, 1024)),
    ],
)
def test_resnext_stages_are_the_paper_s(name, depths, widths):
    _, (pool, *first), *later = architecture(name).stages
    assert (pool.stride, pool.out_channels) == (2, 64)
    stages = [first, *later]
    assert tuple(map(len, stages)) == depths
    assert tuple(stage[0].hidden_channels for stage in stages) == widths
    assert [level.channels for level in feature_levels(name)] == [64, 256, 512, 1024, 2048]


@pytest.mark.parametrize('name', list_backbones())
def test_levels_have_their_names_and_strides(name):
    levels = feature_levels(name)
    assert [level.name for level in levels] == ['c1', 'c2', 'c3', 'c4', 'c5']
    assert [level.stride for level in levels] == [2, 4, 8, 16, 32]


def test_channels_follow_the_order_asked_for():
    assert channels('rexnet_1.0', out_indices=(-1, 0, 2)) == [185, 16, 61]
    assert channels('rexnet_1.0', width_mult=2.0) == channels('rexnet_2.0')


@pytest.mark.parametrize(
    ('name', 'closest'),
    [
        ('rexnet_10', 'rexnet_1.0'),
        ('regnetx_800', 'regnetx_800mf'),
        ('ResNeXt50', 'resnext50_32x4d'),
        ('', f'{len(NAMES)} names'),
    ],
)
def test_an_unknown_name_gets_the_closest_ones(name, closest):
    with pytest.raises(UnknownName, match='no backbone is called') as caught:
        architecture(name)
    assert closest in str(caught.value)
    assert '\n' not in str(caught.value)


def test_an_argument_of_another_rule_is_refused():
    with pytest.raises(InvalidArgument, match="RegNetRule takes no 'width_mult'"):
        architecture('regnetx_800mf', width_mult=2.0)
    with pytest.raises(InvalidArgument, match="did you mean 'width_mult'"):
        architecture('rexnet_1.0', width_mul=2.0)


def test_listing_needs_neither_torch_nor_mmengine():
    program = (
        'import sys, rexdense; assert rexdense.list_backbones("rexnet_1.0") == ["rexnet_1.0"]; '
        'from rexdense.arch import channels; assert channels("rexnet_1.0")[0] == 38; '
        'print([name for name in ("torch", "mmengine", "numpy") if name in sys.modules])'
    )
    done = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == '[]'


def test_the_package_offers_what_it_lists():
    for name in rexdense.__all__:
        assert getattr(rexdense, name) is not None
    assert rexdense.list_backbones is importlib.import_module('rexdense.arch').list_backbones


@pytest.mark.parametrize(
    ('name', 'arguments'),
    [
        ('rexnet_1.0', dict(width_mult=1e307)),
        ('rexnet_1.0', dict(width_mult=1e-320)),
        ('rexnet_lite_1.0', dict(width_mult=1e307)),
        ('regnetx_400mf', dict(w_0=10**400)),
        ('regnetx_400mf', dict(w_a=1e308)),
    ],
)
def test_widths_that_overflow(name, arguments):
    with pytest.raises(InvalidArgument, match='too large to be numbers') as caught:
        architecture(name, **arguments)
    assert len(str(caught.value)) < 300
