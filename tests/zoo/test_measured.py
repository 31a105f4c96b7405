"""measured.json agrees exactly with the code, for every network and U-Net."""

import json
from functools import partial
from types import SimpleNamespace

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
from rexdense.zoo.detectors import measure_detector

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


class SmallDetector(torch.nn.Module):
    """The parts of a Mask R-CNN with a layer or two each, on the meta device."""

    def __init__(self):
        super().__init__()
        layers = torch.nn
        self.backbone = layers.Conv2d(3, 4, 2, stride=2)
        self.neck = layers.Conv2d(4, 8, 1)
        self.rpn_head = layers.Conv2d(8, 3, 3, padding=1)
        self.roi_head = layers.Module()
        self.roi_head.bbox_head = layers.Sequential(
            layers.Flatten(), layers.Linear(8 * 49, 10), layers.Linear(10, 5)
        )
        self.roi_head.mask_head = layers.ConvTranspose2d(8, 2, 2, stride=2)
        self.roi_head.with_mask = True
        for name, size in (('bbox_roi_extractor', 7), ('mask_roi_extractor', 14)):
            layer = SimpleNamespace(output_size=(size, size))
            extractor = SimpleNamespace(roi_layers=[layer], out_channels=8)
            setattr(self.roi_head, name, extractor)
        self.to('meta')


def test_a_detector_is_counted_part_by_part():
    found = measure_detector({'faster': partial(torch.nn.Linear, 3, 4), 'mask': SmallDetector})
    assert found.parameters == {
        'faster': 16,
        'mask': 52 + 40 + 219 + (392 * 10 + 10) + 55 + 66,
    }
    pixels = 400 * 600
    parts = {
        'backbone': pixels * 4 * 3 * 4,
        'neck': pixels * 8 * 4,
        'proposals': pixels * 3 * 8 * 9,
        'boxes': 1000 * (392 * 10 + 10 * 5),
        'masks': 100 * 14 * 14 * 8 * 2 * 4,
    }
    assert found.macs['1200x800'] == parts
    assert found.macs['1280x800']['backbone'] == 400 * 640 * 48
    assert found.macs_of('mask', '1200x800') == sum(parts.values())
    assert found.macs_of('faster', '1200x800') == sum(parts.values()) - parts['masks']


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
        {'two_layers': {'mask': SmallDetector}},
        path,
    )
    (found,) = load_measured_detectors(path).values()
    assert found == measure_detector({'mask': SmallDetector})
    assert written == load_measured(path) == {'rexnet_1.0': load_measured()['rexnet_1.0']}
    assert load_measured_unets(path) == {'rexunet': load_measured_unets()['rexunet']}
    lines = MEASURED.read_text().splitlines()
    kept = [line for line in path.read_text().splitlines() if 'two_layers' not in line]
    assert set(kept) <= {*lines, *(line.rstrip(',') for line in lines)}
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
