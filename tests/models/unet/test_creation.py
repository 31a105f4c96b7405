"""U-Nets by name: one or all scales, grey images, arguments of backbone and decoder."""

import pytest
import torch

import rexdense
from rexdense.errors import InvalidArgument, UnknownName
from tests.models.networks import image

SMALL = dict(backbone=dict(width_mult=0.5))


def test_one_full_size_tensor_by_default_and_grey_images_by_one_argument():
    unet = rexdense.create_unet('rexnet_1.0', num_classes=3, in_channels=1, **SMALL).eval()
    with torch.no_grad():
        logits = unet(image(2, 1, 65, 97))
    assert isinstance(logits, torch.Tensor) and logits.shape == (2, 3, 65, 97)


def test_all_scales_by_option():
    torch.manual_seed(0)
    every = rexdense.create_unet('rexnet_1.0', 3, output_strides='all', **SMALL).eval()
    x = image(1, 3, 64, 96)
    with torch.no_grad():
        outputs = every(x)
        assert list(outputs) == [1, 2, 4, 8, 16, 32]
        for stride in (1, 4):
            alone = rexdense.create_unet('rexnet_1.0', 3, output_strides=stride, **SMALL).eval()
            keys = alone.state_dict().keys()
            alone.load_state_dict({k: v for k, v in every.state_dict().items() if k in keys})
            torch.testing.assert_close(alone(x), outputs[stride], rtol=0, atol=0)
        some = rexdense.create_unet('rexnet_1.0', 3, output_strides=[4], **SMALL).eval()
        assert list(some(x)) == [4]


@pytest.mark.parametrize('name', ['rexnet_1.0', 'regnety_200mf', 'resnext50_32x4d'])
def test_any_backbone_has_a_unet(name):
    with torch.device('meta'):
        unet = rexdense.create_unet(name, num_classes=2)
        assert unet(torch.empty(1, 3, 33, 65)).shape == (1, 2, 33, 65)
    assert unet.backbone.arch == name


def test_names():
    names = rexdense.list_unets()
    assert 'unet_rexnet_1.0_wide' in names
    with torch.device('meta'):
        for name in names:
            assert len(rexdense.create_unet(name, 2, output_strides='all').decoder.outputs) == 6
        same = rexdense.create_unet('unet_rexnet_1.0', 2).state_dict()
        assert list(rexdense.create_unet('rexnet_1.0', 2).state_dict()) == list(same)
    with pytest.raises(UnknownName, match=r"no U-Net or backbone.*did you mean 'rexnet_1.0'"):
        rexdense.create_unet('rexnet1.0', 2)


def test_arguments_reach_backbone_and_decoder():
    with torch.device('meta'):
        unet = rexdense.create_unet(
            'rexnet_1.0',
            3,
            backbone=dict(width_mult=0.5, drop_path_rate=0.1, out_indices=(1, 2), norm_eval=True),
            skip='concat',
            recompute='activations',
            norm_cfg=dict(type='GN', num_groups=1),
        )
        own = rexdense.create_unet(
            'rexnet_1.0', 3, backbone=dict(recompute=None), recompute='blocks'
        )
    assert unet.backbone.norm_eval and len(unet.decoder.levels) == 2
    assert unet.decoder.steps[0].skip == 'concat'
    assert unet.backbone.recompute == unet.decoder.recompute == 'activations'
    assert not [m for m in unet.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert (own.backbone.recompute, own.decoder.recompute) == (None, 'blocks')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(skpi='sum'), "create_unet takes no 'skpi': did you mean 'skip'"),
        (dict(in_chanels=1), "did you mean 'in_channels'"),
        (dict(width_mult=2), r'argument of the backbone: give backbone=dict\(width_mult=2\)'),
        (dict(backbone=dict(widht_mult=2)), "ReXNet takes no 'widht_mult': did you mean 'width_"),
        (dict(output_strides='fine'), 'output_strides='),
        (dict(output_strides=3), 'allowed are 1, 2, 4'),
    ],
)
def test_unknown_arguments_are_refused_with_the_closest(arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        rexdense.create_unet('rexnet_1.0', 3, **arguments)


def test_more_classes_than_a_convolution_can_have():
    with pytest.raises(InvalidArgument, match=f'to {10**30} channels has more than .* or classes'):
        rexdense.create_unet('rexnet_lite_1.0', num_classes=10**30, **SMALL)
