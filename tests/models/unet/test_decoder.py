"""The general U-Net: shapes for every backbone, receptive fields, refusals."""

import math

import pytest
import torch

import rexdense
from rexdense.benchmark.memory import bytes_kept
from rexdense.errors import InvalidArgument, UnknownName
from rexdense.models.unet import UNet, UNetDecoder, create_unet
from rexdense.models.unet.blocks import DECODER_BLOCKS
from tests.models.networks import SMALL, image

STRIDES = (1, 2, 4, 8, 16, 32)

blocks = pytest.mark.parametrize('block', list(DECODER_BLOCKS))
skips = pytest.mark.parametrize('skip', ['sum', 'concat'])


def small_unet(out_indices=(0, 1, 2, 3, 4), **decoder) -> UNet:
    torch.manual_seed(0)
    backbone = rexdense.create_backbone('rexnet_1.0', width_mult=0.5, out_indices=out_indices)
    return UNet(backbone, num_classes=3, **decoder)


def expected_shapes(strides, height, width, images=1, classes=3) -> dict[int, tuple[int, ...]]:
    return {
        stride: (images, classes, math.ceil(height / stride), math.ceil(width / stride))
        for stride in strides
    }


def shapes(logits: dict[int, torch.Tensor]) -> dict[int, tuple[int, ...]]:
    return {stride: tuple(tensor.shape) for stride, tensor in logits.items()}


@pytest.mark.parametrize('name', SMALL)
def test_a_backbone_has_an_output_at_every_scale(name):
    with torch.device('meta'), torch.no_grad():
        backbone = rexdense.create_backbone(name, out_indices=range(5))
        unet = UNet(backbone, num_classes=3).eval()
        # One side is smaller than the largest stride.
        logits = unet(torch.empty(2, 3, 97, 31))
    assert list(logits) == list(STRIDES)
    assert shapes(logits) == expected_shapes(STRIDES, 97, 31, images=2)


@blocks
@skips
def test_any_image_size(block, skip):
    unet = small_unet(block=block, skip=skip).eval()
    for height, width in [(64, 64), (65, 65), (97, 131), (31, 200), (7, 5), (1, 1)]:
        with torch.no_grad():
            logits = unet(torch.rand(1, 3, height, width))
        assert shapes(logits) == expected_shapes(STRIDES, height, width)


@pytest.mark.parametrize('output_stride', [16, 8])
@skips
def test_dilated_backbones_have_one_output_a_stride(output_stride, skip):
    backbone = rexdense.create_backbone(
        'rexnet_1.0', width_mult=0.5, out_indices=range(5), output_stride=output_stride
    )
    unet = UNet(backbone, num_classes=3, skip=skip).eval()
    with torch.no_grad():
        logits = unet(torch.rand(1, 3, 97, 131))
    strides = [stride for stride in STRIDES if stride <= output_stride]
    assert shapes(logits) == expected_shapes(strides, 97, 131)
    assert len(unet.decoder.steps) == 4


@pytest.mark.parametrize('out_indices', [(1, 2, 3, 4), (2, 4), (4,)])
def test_fewer_levels_give_fewer_outputs(out_indices):
    with torch.no_grad():
        logits = small_unet(out_indices).eval()(torch.rand(1, 3, 97, 131))
    strides = [1, *(2 ** (index + 1) for index in out_indices)]
    assert shapes(logits) == expected_shapes(strides, 97, 131)


@pytest.mark.parametrize(
    ('output_strides', 'steps'), [((32,), 0), ((16, 8), 2), ((4,), 3), ((2,), 4), ((1,), 4)]
)
def test_only_what_the_outputs_need_is_built(output_strides, steps):
    unet = small_unet(output_strides=output_strides)
    assert len(unet.decoder.steps) == steps
    assert list(unet.eval()(torch.rand(1, 3, 64, 64))) == sorted(output_strides)


@blocks
@skips
@pytest.mark.parametrize('output_strides', [None, (1,), (8,)])
def test_one_image_trains_every_parameter(block, skip, output_strides):
    unet = small_unet(block=block, skip=skip, output_strides=output_strides)
    logits = unet(torch.rand(1, 3, 64, 96))
    sum(tensor.square().sum() for tensor in logits.values()).backward()
    without = [
        name
        for name, parameter in unet.named_parameters()
        if parameter.grad is None or not parameter.grad.isfinite().all()
    ]
    assert without == []
    # A ReLU may cut off all of the few channels in a squeeze-excitation.
    still = [
        name
        for name, parameter in unet.decoder.named_parameters()
        if 'squeeze_excitation' not in name and parameter.grad.abs().max() == 0
    ]
    assert still == []


@blocks
@skips
def test_a_level_is_seen_at_its_stride_and_finer(block, skip):
    decoder = small_unet(block=block, skip=skip).eval().decoder
    levels = decoder.levels
    features = [
        torch.randn(1, level.channels, 96 // level.stride, 64 // level.stride) for level in levels
    ]
    with torch.no_grad():
        before = decoder(features)
        for index, level in enumerate(levels):
            changed = list(features)
            changed[index] = changed[index] + torch.randn_like(changed[index])
            after = decoder(changed)
            moved = [stride for stride in STRIDES if not torch.equal(before[stride], after[stride])]
            assert moved == [stride for stride in STRIDES if stride <= level.stride], level.name


def test_sum_adds_the_skip_to_the_resized_block():
    decoder = small_unet(skip='sum').eval().decoder
    step, (*_, c4, c5) = decoder.steps[0], decoder.levels
    x, skip = torch.randn(1, c5.channels, 3, 3), torch.randn(1, c4.channels, 5, 6)
    with torch.no_grad():
        resized = torch.nn.functional.interpolate(step.block(x), size=(5, 6), mode='bilinear')
        torch.testing.assert_close(step(x, skip), resized + skip, rtol=0, atol=0)


@blocks
@skips
def test_decoded_maps_have_the_channels_asked_for(block, skip):
    unet = small_unet(block=block, skip=skip, decoder_channels=(20, 9, 8, 7, 6))
    heads = {int(stride): head for stride, head in unet.decoder.outputs.items()}
    read = {
        stride: (head.conv if stride == 1 else head).in_channels for stride, head in heads.items()
    }
    c5 = unet.backbone.feature_info[4].channels
    assert read == {1: 6, 2: 7, 4: 8, 8: 9, 16: 20, 32: c5}
    logits = unet(torch.rand(2, 3, 65, 97))
    assert shapes(logits) == expected_shapes(STRIDES, 65, 97, images=2)
    sum(tensor.square().sum() for tensor in logits.values()).backward()
    assert all(parameter.grad is not None for parameter in unet.parameters())


def test_channels_of_the_levels_add_nothing_to_the_decoder():
    *finer, _ = rexdense.arch.channels('rexnet_1.0', (0, 1, 2, 3, 4), width_mult=0.5)
    plain = small_unet()
    asked = small_unet(decoder_channels=(*finer[::-1], finer[0]))
    assert asked.decoder.decoder_channels == plain.decoder.decoder_channels
    torch.testing.assert_close(dict(asked.state_dict()), dict(plain.state_dict()))


def test_the_wide_decoder_is_as_large_as_the_one_it_is_named_after():
    with torch.device('meta'):
        decoder = create_unet('unet_rexnet_1.0_wide', 11, output_strides=(1,)).decoder
    # segmentation_models_pytorch 0.6.0: Unet('tu-rexnet_100', classes=11), decoder and head.
    assert sum(parameter.numel() for parameter in decoder.parameters()) == 1_998_843


def test_standard_unets_take_other_decoder_arguments_and_are_known_by_name():
    with torch.device('meta'):
        decoder = create_unet('unet_rexnet_1.0_double_conv', 3, output_strides=(4,)).decoder
        assert (decoder.block, decoder.output_strides) == ('double_conv', (4,))
    with pytest.raises(UnknownName, match="did you mean 'unet_rexnet_1\\."):
        create_unet('unet_rexnet_1.1', 3)


@blocks
def test_recomputation_keeps_a_share_of_the_memory_of_plain_training(block):
    def kept(how):
        backbone = rexdense.create_backbone('rexnet_1.0', out_indices=range(5), recompute=how)
        unet = UNet(backbone, num_classes=11, block=block, recompute=how)
        return bytes_kept(unet, image(2, 3, 64, 64))

    plain = kept(None)
    assert kept('activations') <= 0.65 * plain
    assert kept('blocks') <= 0.25 * plain


def test_without_a_size_the_finest_map_gives_it():
    decoder = small_unet((1, 4), output_strides=(1, 4)).eval().decoder
    features = [torch.randn(1, level.channels, 17, 9) for level in decoder.levels]
    assert tuple(decoder(features)[1].shape) == (1, 3, 68, 36)
    assert tuple(decoder(features, size=(66, 35))[1].shape) == (1, 3, 66, 35)


@blocks
@pytest.mark.parametrize('how', ['blocks', 'activations'])
def test_recomputation_changes_neither_gradients_nor_statistics(block, how):
    images = torch.rand(2, 3, 65, 64)
    results = []
    for mode in (None, how):
        unet = small_unet(block=block, recompute=mode).double()
        sum(tensor.square().sum() for tensor in unet(images.double()).values()).backward()
        gradients = {name: parameter.grad for name, parameter in unet.named_parameters()}
        results.append((gradients, dict(unet.named_buffers())))
    for plain, recomputed in zip(*results, strict=True):
        torch.testing.assert_close(recomputed, plain, rtol=1e-9, atol=1e-12)


def test_weights_of_a_classifier_fill_the_backbone():
    unet = small_unet()
    classifier = rexdense.create_classifier('rexnet_1.0', width_mult=0.5)
    decoder = {key: tensor.clone() for key, tensor in unet.decoder.state_dict().items()}
    report = rexdense.load_weights(unet, classifier.state_dict(), backbone_only=True)
    assert len(report.loaded) == len(unet.backbone.state_dict())
    torch.testing.assert_close(unet.backbone.state_dict(), classifier.backbone.state_dict())
    torch.testing.assert_close(dict(unet.decoder.state_dict()), decoder)

    other = small_unet()
    assert len(rexdense.load_weights(other, unet.state_dict()).loaded) == len(unet.state_dict())
    torch.testing.assert_close(dict(other.state_dict()), dict(unet.state_dict()))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(output_strides=(1, 2)), r'\(1, 2\): allowed are 1, 4, 8, 16, 32 .* out_indices=\(0,'),
        (dict(output_strides=(64,)), r'\(64,\): allowed are 1, 4'),
        (dict(output_strides=('4',)), r"\('4',\): allowed are 1, 4"),
        (dict(output_strides=()), r'\(\): give a non-empty list, such as \[1, 4\]'),
        (dict(output_strides=(4, 4)), r'\(4, 4\): allowed are .* each once$'),
        (dict(block='resnet'), "block='resnet': did you mean 'rexnet'"),
        (dict(skip='add'), "skip='add': allowed are concat, sum"),
        (dict(with_cp='blocks'), "with_cp='blocks': write recompute='blocks'"),
        (dict(recompute='all'), "recompute='all': allowed are None, 'blocks'"),
        (dict(norm_cfg=dict(type='LN')), "norm_cfg type 'LN'"),
        (
            dict(decoder_channels=(64, 32)),
            r'\(64, 32\): give a number for each of c4, c3, c2, stride 1 \(4\)$',
        ),
        (dict(decoder_channels=64), 'decoder_channels=64: give a number for each of'),
        (dict(decoder_channels=(8, 8, 8, 0)), 'decoder_channels=0: give a whole number above 0'),
    ],
)
def test_refused_arguments(arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        small_unet(out_indices=(1, 2, 3, 4), **arguments)


def test_refused_levels_and_maps():
    backbone = rexdense.create_backbone('rexnet_1.0', width_mult=0.5)
    with pytest.raises(InvalidArgument, match='num_classes=0: give a whole number above 0'):
        UNetDecoder(backbone.out_levels, num_classes=0)
    with pytest.raises(
        InvalidArgument, match=r'=\[16, 38\]: give levels \(name, channels, stride\)'
    ):
        UNetDecoder([16, 38], num_classes=3)
    with pytest.raises(InvalidArgument, match=r'strides \[\]: give at least one level'):
        UNetDecoder((), num_classes=3)
    with pytest.raises(InvalidArgument, match=r'strides \[32, 16, 8, 4\]: .* from fine to coarse'):
        UNetDecoder(backbone.out_levels[::-1], num_classes=3)
    with pytest.raises(InvalidArgument, match='got 2 feature maps; it takes 4: c2, c3, c4, c5'):
        UNetDecoder(backbone.out_levels, num_classes=3)([torch.zeros(1, 1, 1, 1)] * 2)
