"""Classification heads of the families: sizes, names and outputs."""

import pytest
import torch
from mmengine.registry import MODELS

import rexdense
from rexdense.arch import list_backbones
from rexdense.errors import InvalidArgument
from tests.models.networks import SMALL, image, randomise

# With 1000 classes: clovaai/rexnet, timm 1.0.31, and torchvision 0.28.0 for resnext152_32x4d.
PARAMETERS = {
    'rexnet_0.9': 4_091_257,
    'rexnet_1.0': 4_796_873,
    'rexnet_1.3': 7_557_091,
    'rexnet_1.5': 9_728_593,
    'rexnet_2.0': 16_366_620,
    'rexnet_2.2': 19_485_308,
    'rexnet_3.0': 34_708_792,
    'rexnet_lite_1.0': 4_740_056,
    'rexnet_lite_1.3': 6_747_960,
    'rexnet_lite_1.5': 8_332_296,
    'rexnet_lite_2.0': 12_966_200,
    'rexnetr_1.0': 4_883_304,
    'rexnetr_1.3': 7_608_080,
    'rexnetr_1.5': 9_782_256,
    'rexnetr_2.0': 16_522_432,
    'rexnetr_3.0': 34_810_008,
    'regnetx_200mf': 2_684_792,
    'regnetx_400mf': 5_157_512,
    'regnetx_400mf_tv': 5_495_976,
    'regnetx_600mf': 6_196_040,
    'regnetx_800mf': 7_259_656,
    'regnetx_1.6gf': 9_190_136,
    'regnetx_3.2gf': 15_296_552,
    'regnetx_4.0gf': 22_118_248,
    'regnetx_6.4gf': 26_209_256,
    'regnetx_8.0gf': 39_572_648,
    'regnetx_12gf': 46_106_056,
    'regnetx_16gf': 54_278_536,
    'regnetx_32gf': 107_811_560,
    'regnety_200mf': 3_162_996,
    'regnety_400mf': 4_344_144,
    'regnety_600mf': 6_055_160,
    'regnety_800mf': 6_263_168,
    'regnety_800mf_tv': 6_432_512,
    'regnety_1.6gf': 11_202_430,
    'regnety_3.2gf': 19_436_338,
    'regnety_4.0gf': 20_646_656,
    'regnety_6.4gf': 30_583_252,
    'regnety_8.0gf': 39_180_068,
    'regnety_8.0gf_tv': 39_381_472,
    'regnety_12gf': 51_822_544,
    'regnety_16gf': 83_590_140,
    'regnety_32gf': 145_046_770,
    'resnext50_32x4d': 25_028_904,
    'resnext101_32x4d': 44_177_704,
    'resnext101_64x4d': 83_455_272,
    'resnext101_32x8d': 88_791_336,
    'resnext152_32x4d': 59_951_400,
}


@pytest.mark.parametrize('name', list_backbones())
def test_parameters_are_the_reference_s(name):
    with torch.device('meta'):
        classifier = rexdense.create_classifier(name)
    assert sum(value.numel() for value in classifier.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize('name', SMALL)
def test_logits(name):
    classifier = randomise(rexdense.create_classifier(name, num_classes=7)).eval()
    x = image(3, 3, 65, 97)
    with torch.no_grad():
        logits = classifier(x)
        assert logits.shape == (3, 7)
        # An image's logits do not depend on its neighbours.
        torch.testing.assert_close(classifier(x[:1]), logits[:1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('name', SMALL)
def test_the_body_has_the_backbone_s_names(name):
    with torch.device('meta'):
        body = rexdense.create_backbone(name).state_dict()
        whole = rexdense.create_classifier(name).state_dict()
    assert [key for key in whole if key.startswith('backbone.')] == [f'backbone.{k}' for k in body]


@pytest.mark.parametrize(
    ('name', 'dropout', 'expected'),
    [
        ('rexnet_1.0', None, 0.2),
        ('rexnet_lite_1.0', None, 0.2),
        ('regnetx_200mf', None, 0.0),
        ('resnext50_32x4d', 0.5, 0.5),
        ('rexnet_1.0', 0.0, 0.0),
    ],
)
def test_dropout(name, dropout, expected):
    with torch.device('meta'):
        classifier = rexdense.create_classifier(name, dropout=dropout)
    assert classifier.head.dropout.p == expected


def test_a_config_builds_it():
    config = dict(type='rexdense.Classifier', num_classes=5, backbone=None)
    config['backbone'] = dict(type='rexdense.RegNet', arch='regnetx_200mf', frozen_stages=1)
    classifier = MODELS.build(config)
    assert classifier.backbone.frozen_stages == 1
    assert classifier.head.fc.out_features == 5


def test_group_normalisation_reaches_the_head():
    classifier = rexdense.create_classifier('rexnet_lite_1.0', norm_cfg=dict(type='GN'))
    assert not [m for m in classifier.modules() if isinstance(m, torch.nn.BatchNorm2d)]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(num_classes=-1), 'num_classes=-1: give a whole number above 0, or 0 for pooled'),
        (dict(num_classes=2.0), 'whole number'),
        (dict(dropout=1.5), r'dropout=1\.5: allowed are 0'),
        (dict(out_indices=(1, 2)), 'a classifier reads c5; leave out_indices out'),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        rexdense.create_classifier('regnetx_200mf', **arguments)


# Channels of the map before pooling and of the last layer's input: timm's num_features and
# head_hidden_size of rexnet_100, regnetx_002 and resnext50_32x4d; rexnet_lite_1.0 is clovaai's.
FEATURES = {
    'rexnet_1.0': (1280, 1280),
    'rexnet_lite_1.0': (1280, 1024),
    'regnetx_200mf': (368, 368),
    'resnext50_32x4d': (2048, 2048),
}


@pytest.mark.parametrize('name', FEATURES)
def test_features_and_head_as_timm_has_them(name):
    classifier = randomise(rexdense.create_classifier(name, num_classes=7)).eval()
    width, pooled = FEATURES[name]
    assert (classifier.num_features, classifier.head_hidden_size) == (width, pooled)
    x = image(2, 3, 65, 97)
    with torch.no_grad():
        features = classifier.forward_features(x)
        assert features.shape == (2, width, 3, 4)
        logits = classifier.forward_head(features)
        hidden = classifier.forward_head(features, pre_logits=True)
        assert hidden.shape == (2, pooled)
        torch.testing.assert_close(logits, classifier(x), rtol=0, atol=0)
        torch.testing.assert_close(classifier.get_classifier()(hidden), logits, rtol=0, atol=0)
        if name != 'rexnet_lite_1.0':
            torch.testing.assert_close(hidden, features.mean((2, 3)), rtol=1e-5, atol=1e-6)

        classifier.reset_classifier(0)
        assert classifier.num_classes == 0
        torch.testing.assert_close(classifier(x), hidden, rtol=0, atol=0)
        classifier.reset_classifier(4)
        assert classifier(x).shape == (2, 4) and classifier.num_classes == 4
    with pytest.raises(InvalidArgument, match=r'num_classes=2\.5: give'):
        classifier.reset_classifier(2.5)


@pytest.mark.parametrize('name', FEATURES)
def test_weights_of_a_classifier_fill_one_without_classes(name):
    trained = randomise(rexdense.create_classifier(name, num_classes=7)).eval()
    features = rexdense.create_classifier(name, num_classes=0).eval()
    report = rexdense.load_weights(features, trained.state_dict())
    assert report.dropped == ['head.fc.weight', 'head.fc.bias'] and not report.missing
    x = image(1, 3, 64, 64)
    with torch.no_grad():
        expected = trained.forward_head(trained.forward_features(x), pre_logits=True)
        torch.testing.assert_close(features(x), expected, rtol=0, atol=0)
    # In the other direction, the new last layer is kept.
    other = rexdense.create_classifier(name, num_classes=3)
    report = rexdense.load_weights(other, features.state_dict(), drop_head=True)
    assert report.kept == ['head.fc.weight', 'head.fc.bias']


def test_a_new_last_layer_is_where_the_old_one_was():
    classifier = rexdense.create_classifier('regnetx_200mf').double().to('meta')
    classifier.reset_classifier(3)
    weight = classifier.get_classifier().weight
    assert (weight.device.type, weight.dtype) == ('meta', torch.float64)
    classifier.reset_classifier(0)
    classifier.reset_classifier(2)
    assert classifier.get_classifier().weight.dtype == torch.float64
