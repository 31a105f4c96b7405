"""Initial weights: the scale of convolutions, zero-initialised branches, near-zero outputs."""

import math

import pytest
import torch
from torch import nn

import rexdense
from rexdense.models.layers.convolution import convolution
from rexdense.models.unet import ReXUNet, UNet, UNetDecoder
from tests.models.networks import SMALL, SQUEEZED, image

LARGE = 4000
"""The number of weights from which a layer is checked on its own."""


def kaiming(layer: nn.Conv2d) -> float:
    """Return sqrt(2 / fan-out) (He et al. 2015, equation 14; pycls ``init_weights``), with the
    fan-out of one group as in timm (``_efficientnet_builder.py``)."""
    area = math.prod(layer.kernel_size)
    return math.sqrt(2 * layer.groups / (area * layer.out_channels))


def deviation(weight: torch.Tensor) -> float:
    return weight.detach().std().item()


def assert_drawn(layers: list[nn.Conv2d]) -> None:
    """Check that layers are initialised by the rule within five standard errors: large layers one
    by one, and all of them together."""
    scaled = [layer.weight.detach().flatten() / kaiming(layer) for layer in layers]
    for values in (*(each for each in scaled if each.numel() >= LARGE), torch.cat(scaled)):
        n = values.numel()
        assert values.std().item() == pytest.approx(1, abs=5 / math.sqrt(2 * n))
        assert abs(values.mean().item()) < 5 / math.sqrt(n)
        # The fourth moment of a normal distribution is 3, of a uniform one 1.8.
        assert values.pow(4).mean().item() == pytest.approx(3, abs=5 * math.sqrt(96 / n))
    assert not any(layer.bias.any() for layer in layers if layer.bias is not None)


def kinds(module: nn.Module) -> dict[str, list[nn.Conv2d]]:
    """Return the convolutions by kind, because the scale is checked per kind."""
    found: dict[str, list[nn.Conv2d]] = {}
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            kind = (
                'depthwise'
                if layer.groups == layer.in_channels
                else 'grouped'
                if layer.groups > 1
                else 'dense 1x1'
                if layer.kernel_size == (1, 1)
                else 'dense'
            )
            found.setdefault(kind, []).append(layer)
    return found


@pytest.mark.parametrize('name', SMALL)
def test_convolutions_of_every_kind_start_at_the_rules_scale(name):
    torch.manual_seed(0)
    backbone = rexdense.create_backbone(name)
    found = kinds(backbone)
    inner = 'depthwise' if name.startswith('rexnet') else 'grouped'
    assert {'dense', 'dense 1x1', inner} <= set(found)
    for layers in found.values():
        assert_drawn(layers)
    assert_drawn([layer for layers in found.values() for layer in layers])
    stem = backbone.stem.conv
    assert deviation(stem.weight) == pytest.approx(kaiming(stem), rel=0.15)


@pytest.mark.parametrize('groups', [1, 4, 64])
def test_a_layer_starts_at_the_rules_scale(groups):
    torch.manual_seed(0)
    layer = convolution(64, 512, 3, groups=groups)
    assert_drawn([layer])


@pytest.mark.parametrize('name', SQUEEZED)
def test_squeeze_excitation_begins_without_bias(name):
    backbone = rexdense.create_backbone(name)
    biases = [
        key
        for key, _ in backbone.named_parameters()
        if key.endswith(('reduce.bias', 'expand.bias'))
    ]
    assert biases
    assert not any(backbone.get_parameter(key).any() for key in biases)


@pytest.mark.parametrize('name', SMALL)
def test_normalisations_start_as_the_identity_but_for_residual_branches(name):
    """A bottleneck's last scale is 0 (Goyal et al. 2017, section 5.1)."""
    silent = name.startswith(('regnet', 'resnext'))
    for path, norm in rexdense.create_classifier(name).named_modules():
        if not isinstance(norm, nn.BatchNorm2d):
            continue
        scale = 0.0 if silent and path.endswith('conv3.norm') else 1.0
        assert (norm.weight == scale).all(), path
        assert not norm.bias.any() and not norm.running_mean.any() and (norm.running_var == 1).all()


def outputs_of(decoder: UNetDecoder) -> list[nn.Conv2d]:
    return [
        output if isinstance(output, nn.Conv2d) else output.conv
        for output in decoder.outputs.values()
    ]


@pytest.mark.parametrize('block', ['rexnet', 'double_conv', 'depthwise_separable'])
def test_outputs_of_a_decoder_start_near_zero(block):
    """All classes start equal, with a standard deviation of 0.01 as in mmseg's decode heads
    (``decode_head.py``, ``init_cfg``)."""
    torch.manual_seed(0)
    backbone = rexdense.create_backbone('rexnet_1.0', out_indices=range(5))
    decoder = UNetDecoder(backbone.out_levels, num_classes=21, block=block)
    outputs = outputs_of(decoder)
    assert len(outputs) == 6
    for output in outputs:
        assert deviation(output.weight) == pytest.approx(0.01, rel=0.1)
        assert not output.bias.any()
    ends = {id(output) for output in outputs}
    assert_drawn(
        [part for part in decoder.modules() if isinstance(part, nn.Conv2d) and id(part) not in ends]
    )


def test_new_u_nets_favour_no_class():
    torch.manual_seed(0)
    unet = UNet(rexdense.create_backbone('rexnet_1.0'), num_classes=5).eval()
    with torch.no_grad():
        logits = unet(image(1, 3, 64, 64))
    for stride, logit in logits.items():
        assert logit.softmax(1).max() < 0.6, stride
    rexunet = ReXUNet()
    for stride, output in rexunet.head.outputs.items():
        if stride != '1':
            assert deviation(output.weight) == pytest.approx(0.01, rel=0.3)


@pytest.mark.parametrize('name', ['rexnet_1.0', 'rexnet_lite_1.0', 'resnext50_32x4d'])
def test_a_classifiers_head_starts_as_its_layers_do(name):
    """Convolutions follow the rule. The last layer is torch's default, uniform up to
    1 / sqrt(fan-in)."""
    torch.manual_seed(0)
    head = rexdense.create_classifier(name).head
    bound = 1 / math.sqrt(head.fc.in_features)
    assert head.fc.weight.abs().max() <= bound
    assert deviation(head.fc.weight) == pytest.approx(bound / math.sqrt(3), rel=0.02)
    if head.final is not None:
        assert_drawn([part for part in head.modules() if isinstance(part, nn.Conv2d)])
