"""zshn25/rexnet's U-Net: outputs, names, and the variant for depth."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import rexdense
from rexdense.arch import architecture
from rexdense.checkpoint.schemes import SCHEMES
from rexdense.errors import CheckpointMismatch, InvalidArgument
from rexdense.models.unet import ReXDepth, ReXUNet
from rexdense.zoo import count_complexity
from tests.golden import SAMPLES, TOLERANCE, assert_samples, digest, filled, picture
from tests.shared_files import SHARED, golden_meta, golden_outputs

CASE = 'zshn25_rexunet'


SAMPLE = SAMPLES[CASE]
ENTRIES = SCHEMES['zshn25'].entries(architecture('rexnet_1.0'))


@pytest.fixture(scope='module')
def state():
    """The reference's weights."""
    return {each.theirs: filled(each.theirs, each.shape, SAMPLE['gamma']) for each in ENTRIES}


def test_names_and_shapes_are_the_references_in_its_order():
    assert digest((entry.theirs, entry.shape) for entry in ENTRIES) == SAMPLE['keys']


def test_size_is_the_references():
    complexity = count_complexity(ReXUNet(), (1, 3, 224, 224))
    assert (complexity.parameters, complexity.macs) == (4_009_167, 416_744_756)
    if SHARED is not None:
        meta = golden_meta(CASE)
        assert (meta['params'], meta['macs_224']) == (complexity.parameters, complexity.macs)


def test_outputs_are_the_references(state):
    image = picture(SAMPLE['input'])
    unet = ReXUNet().eval()
    report = rexdense.load_weights(unet, state)
    assert (report.source, report.architecture) == ('zshn25/rexnet', 'rexnet_1.0')
    assert (len(report.loaded), report.dropped) == (len(state), [])
    with torch.no_grad():
        outputs = unet(image)
    assert len(outputs) == len(SAMPLE['outputs']) == 6
    for scale, output in enumerate(outputs):
        assert_samples(output, SAMPLE['outputs'][f'output{scale}'], f'output{scale}')
        if SHARED is not None:
            reference = golden_outputs(CASE)[f'output{scale}']
            assert output.shape == reference.shape
            assert np.abs(output.numpy() - reference).max() / np.abs(reference).max() < TOLERANCE

    depth = ReXDepth().eval()
    rexdense.load_weights(depth, state)
    with torch.no_grad():
        disparities = depth(image)
    assert list(disparities) == [('disp', scale) for scale in range(4)]
    for (_, scale), disparity in disparities.items():
        torch.testing.assert_close(disparity, outputs[scale], rtol=0, atol=0)


def test_weights_fill_a_backbone_and_another_copy(state):
    unet = ReXUNet()
    rexdense.load_weights(unet, state)
    copy = ReXUNet()
    assert len(rexdense.load_weights(copy, unet.state_dict()).loaded) == len(state)
    torch.testing.assert_close(dict(copy.state_dict()), dict(unet.state_dict()))
    backbone = rexdense.create_backbone('rexnet_1.0')
    rexdense.load_weights(backbone, state)
    torch.testing.assert_close(dict(backbone.state_dict()), dict(unet.backbone.state_dict()))

    with pytest.raises(CheckpointMismatch, match=r'looks like rexnet_1\.0'):
        rexdense.load_weights(ReXUNet('rexnet_1.3'), state)
    unknown = {key.replace('decode_conv6', 'decode_conv7'): value for key, value in state.items()}
    with pytest.raises(CheckpointMismatch, match=r'36 tensors differ.*head\.outputs\.1\.depthwise'):
        rexdense.load_weights(ReXUNet(), unknown)


def test_weights_of_a_classifier_fill_the_encoder_and_the_bottleneck():
    classifier = rexdense.create_classifier('rexnet_1.0')
    unet = ReXUNet()
    report = rexdense.load_weights(unet, classifier.state_dict(), drop_head=True)
    assert sorted(report.dropped) == ['head.fc.bias', 'head.fc.weight']
    assert all(key.startswith(('head.steps.', 'head.outputs.')) for key in report.kept)
    torch.testing.assert_close(
        dict(unet.head.final.state_dict()), dict(classifier.head.final.state_dict())
    )


def as_the_reference_says(unet: ReXUNet, x: torch.Tensor) -> list[torch.Tensor]:
    """Return the outputs by the reference's own steps, each of which doubles the size."""
    layers = [unet.backbone.stem, *(block for stage in unet.backbone.stages for block in stage)]
    maps = []
    # conv0 to conv5: the stem and block 1, block 2, blocks 3 and 4, 5 and 6, 7 to 12, and the rest.
    for first, last in [(0, 2), (2, 3), (3, 5), (5, 7), (7, 13), (13, 17)]:
        for layer in layers[first:last]:
            x = layer(x)
        maps.append(x)
    decoded = unet.head.final(maps.pop())
    outputs = []
    for step, stride, skip in zip(unet.head.steps, (32, 16, 8, 4, 2), maps[::-1], strict=True):
        decoded = step.block(decoded)
        if stride < 32:
            decoded = F.interpolate(decoded, scale_factor=2, mode='bilinear', align_corners=False)
        decoded = decoded + skip
        outputs.append(unet.head.outputs[str(stride)](decoded))
    full = unet.head.outputs['1'](decoded)
    outputs.append(F.interpolate(full, scale_factor=2, mode='bilinear', align_corners=False))
    return [output.sigmoid() for output in outputs[::-1]]


@pytest.mark.parametrize('width_mult', [1.0, 0.5, 1.3])
@pytest.mark.parametrize('size', [(96, 160), (32, 32)])
def test_multiples_of_32_are_decoded_as_in_the_reference(width_mult, size):
    torch.manual_seed(0)
    unet = ReXUNet(width_mult=width_mult).eval()
    image = torch.rand(1, 3, *size)
    with torch.no_grad():
        for output, expected in zip(unet(image), as_the_reference_says(unet, image), strict=True):
            torch.testing.assert_close(output, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('arch', ['rexnet_0.9', 'rexnet_2.0', 'rexnetr_1.5'])
def test_any_width_and_image_size(arch):
    unet = ReXUNet(arch).eval()
    for size in [(97, 131), (65, 64), (5, 3)]:
        with torch.no_grad():
            outputs = unet(torch.rand(1, 3, *size))
        scales = [tuple(-(-edge // stride) for edge in size) for stride in (1, 2, 4, 8, 16, 32)]
        assert [tuple(output.shape) for output in outputs] == [(1, 1, *scale) for scale in scales]


@pytest.mark.parametrize('how', [None, 'blocks', 'activations'])
def test_one_image_trains_every_parameter(how):
    unet = ReXUNet(width_mult=0.5, in_channels=4, recompute=how)
    sum(output.square().sum() for output in unet(torch.rand(1, 4, 65, 96))).backward()
    without = [
        name
        for name, parameter in unet.named_parameters()
        if parameter.grad is None or not parameter.grad.isfinite().all()
    ]
    assert without == []


def test_depth_trains_what_its_scales_need():
    depth = ReXDepth(scales=(3, 0), width_mult=0.5)
    disparities = depth(torch.rand(1, 3, 64, 64))
    assert {key: tuple(value.shape[2:]) for key, value in disparities.items()} == {
        ('disp', 3): (8, 8),
        ('disp', 0): (64, 64),
    }
    sum(disparity.square().sum() for disparity in disparities.values()).backward()
    for name, parameter in depth.named_parameters():
        idle = name.startswith(tuple(f'head.outputs.{stride}.' for stride in (2, 4, 16, 32)))
        assert parameter.requires_grad is not idle, name
        assert (parameter.grad is None) is idle, name


@pytest.mark.parametrize('scales', [(), (6,), (0, -1), ('0',), 3])
def test_refused_scales(scales):
    with pytest.raises(InvalidArgument, match=r'scales=.*: give a (non-empty )?list'):
        ReXDepth(scales=scales)


def test_refused_backbones_and_inputs():
    for network in (ReXUNet, ReXDepth):
        with pytest.raises(InvalidArgument, match=r'out_indices=\(1, 2\): .* read all levels'):
            network(out_indices=(1, 2))
    with pytest.raises(InvalidArgument, match="cannot build 'regnetx_800mf'"):
        ReXUNet('regnetx_800mf')
    with pytest.raises(InvalidArgument, match=r'takes \(N, 3, H, W\)'):
        ReXUNet(width_mult=0.5)(torch.rand(1, 4, 32, 32))
