"""measured.json says what the code is: every network and U-Net, exactly."""

import json
from functools import partial

import pytest
import torch

from rexdense import create_backbone, create_classifier, list_backbones
from rexdense.arch import feature_levels
from rexdense.arch.unet import STANDARD_UNETS
from rexdense.errors import InvalidArgument
from rexdense.models.unet import ReXUNet, create_unet
from rexdense.zoo import (
    MEASURED,
    UNET_CLASSES,
    count_complexity,
    load_measured,
    load_measured_detectors,
    load_measured_unets,
    measure,
    write_measured,
)

REFERENCE = {
    'rexnet_0.9': (4_091_257, 347_691_428),
    'rexnet_1.0': (4_796_873, 398_370_392),
    'rexnet_1.3': (7_557_091, 662_229_098),
    'rexnet_1.5': (9_728_593, 875_828_154),
    'rexnet_2.0': (16_366_620, 1_528_850_782),
    'rexnet_2.2': (19_485_308, 1_842_508_176),
    'rexnet_3.0': (34_708_792, 3_395_980_620),
    'rexnet_lite_1.0': (4_740_056, 406_806_592),
    'rexnet_lite_1.3': (6_747_960, 646_448_384),
    'rexnet_lite_1.5': (8_332_296, 836_350_720),
    'rexnet_lite_2.0': (12_966_200, 1_498_253_632),
}
"""Parameters and MACs counted on the networks of clovaai/rexnet itself."""

UNETS = {'rexunet': ReXUNet}
UNETS |= {
    name: partial(create_unet, name, UNET_CLASSES, output_strides='all') for name in STANDARD_UNETS
}


def build_backbone(name):
    return create_backbone(name, out_indices=range(5))


def test_every_registered_network_has_a_row_and_every_row_a_network():
    assert list(load_measured()) == list_backbones()


@pytest.mark.parametrize('name', list_backbones())
def test_measured_numbers_are_those_of_the_code(name):
    measured = load_measured()[name]
    assert measured == measure(lambda: create_classifier(name), lambda: build_backbone(name))
    levels = feature_levels(name)
    assert measured.channels == tuple(level.channels for level in levels)
    assert measured.strides == tuple(level.stride for level in levels) == (2, 4, 8, 16, 32)


def test_every_standard_unet_has_a_row_and_every_row_a_unet():
    assert list(load_measured_unets()) == list(UNETS)


@pytest.mark.parametrize('name', UNETS)
def test_measured_unets_are_those_of_the_code(name):
    with torch.device('meta'):
        unet = UNETS[name]()
    assert load_measured_unets()[name] == count_complexity(unet, (1, 3, 224, 224))


def test_the_measured_rexunet_is_that_of_the_reference_code():
    assert load_measured_unets()['rexunet'][:2] == (4_009_167, 416_744_756)


@pytest.mark.parametrize('name', REFERENCE)
def test_measured_sizes_are_those_of_the_reference_code(name):
    assert load_measured()[name][:2] == REFERENCE[name]


def test_the_counting_rule_stands_beside_the_numbers():
    rule = json.loads(MEASURED.read_text())['counting_rule']
    assert set(rule) >= {'input', 'network', 'unet', *load_measured()['rexnet_1.0']._fields}


def test_the_tool_writes_the_file_as_it_is(tmp_path):
    path = tmp_path / 'measured.json'
    path.write_text('an old one')
    written = write_measured(
        ['rexnet_1.0'],
        create_classifier,
        build_backbone,
        {'rexunet': ReXUNet},
        {'rexnet_1.0': {'faster': partial(torch.nn.Linear, 3, 4)}},
        path,
    )
    assert load_measured_detectors(path) == {'rexnet_1.0': {'faster': 16}}
    assert written == load_measured(path) == {'rexnet_1.0': load_measured()['rexnet_1.0']}
    assert load_measured_unets(path) == {'rexunet': load_measured_unets()['rexunet']}
    lines = MEASURED.read_text().splitlines()
    lines.append('    "rexnet_1.0": {"faster": 16}')
    assert set(path.read_text().splitlines()) <= {*lines, *(line.rstrip(',') for line in lines)}
    assert list(tmp_path.iterdir()) == [path]


def test_a_network_that_fails_leaves_the_file_alone(tmp_path):
    path = tmp_path / 'measured.json'
    path.write_text('an old one')
    with pytest.raises(InvalidArgument):
        write_measured(
            ['rexnet_1.0'],
            lambda name: create_classifier(name, num_classes=-1),
            build_backbone,
            {},
            {},
            path,
        )
    assert path.read_text() == 'an old one'
    assert list(tmp_path.iterdir()) == [path]
