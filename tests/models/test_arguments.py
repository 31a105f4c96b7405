"""Arguments of the wrong kind: each is refused with one line, without a traceback."""

import math

import numpy as np
import pytest
import torch

import rexdense
from rexdense.arch import channels, feature_levels
from rexdense.errors import RexdenseError
from rexdense.models import (
    BatchMix,
    Classifier,
    MultiScaleDepthHead,
    MultiScaleUNetHead,
    RegNet,
    ResNeXt,
)
from rexdense.models.losses.depth import DepthGradientLoss, SelfSupervisedDepthLoss
from rexdense.models.unet import ReXDepth, ReXUNet, UNet, UNetDecoder, create_unet

NAN, INF = math.nan, math.inf
LOSS = dict(type='rexdense.DepthGradientLoss')
LABEL_LOSS = dict(type='rexdense.CrossEntropyLoss')
LEVELS = feature_levels('rexnet_1.0')

NAMES = (None, 3, ['rexnet_1.0'], b'rexnet_1.0', True)
COUNTS = (0, -1, True, False, 2.5, 3.0, '3', NAN, INF, None, [3], np.float32(3), np.bool_(True))
NUMBERS = (0, -0.5, True, '1', NAN, INF, -INF, None, [1], np.float64('nan'), np.bool_(True))
RATIOS = (-0.1, 1.5, True, '0.1', NAN, INF, [0.1], np.float32('nan'), np.bool_(True))
FLAGS = (0, 1, 'True', None, 1.0, [], np.float32(1))
LISTS = ((), 1, 1.5, True, '1', None, {1: 2}, {1, 4}, (True, False), ('1',), (1.0,), (NAN,), [[1]])
NORMS = (
    'BN',
    0,
    False,
    [],
    {},
    dict(type=None),
    dict(type=['BN']),
    dict(type='BN', eps='1e-5'),
    dict(type='BN', eps=NAN),
    dict(type='BN', eps=-1),
    dict(type='BN', momentum=True),
    dict(type='BN', momentum=2),
    dict(type='BN', affine=1),
    dict(type='BN', track_running_stats='yes'),
    dict(type='BN', requires_grad=1),
    dict(type='GN', num_groups=0),
    dict(type='GN', num_groups=True),
)
RECOMPUTE = dict(
    with_cp=(1, 0, None, 'activations', 'blocks', 'True', []),
    recompute=(True, False, 1, 'all', '', ['blocks']),
)


def without(values, *allowed):
    """Return the values except some, compared by value and type."""
    return tuple(v for v in values if not any(v is a for a in allowed))


def create(**arguments):
    return rexdense.create_backbone(arguments.pop('name', 'rexnet_1.0'), **arguments)


def classify(**arguments):
    return rexdense.create_classifier(arguments.pop('name', 'rexnet_1.0'), **arguments)


def regnet(**arguments):
    return RegNet(**dict(w_0=24, w_a=36.44, w_m=2.49, depth=13, group_width=8) | arguments)


def decode(**arguments):
    return UNetDecoder(**dict(feature_info=LEVELS, num_classes=3) | arguments)


def segment(**arguments):
    return MultiScaleUNetHead(
        **dict(arch='rexnet_1.0', num_classes=3, loss_decode=LABEL_LOSS) | arguments
    )


def estimate(**arguments):
    return MultiScaleDepthHead(**dict(arch='rexnet_1.0', loss_decode=LOSS) | arguments)


def unet(**arguments):
    return UNet(**dict(backbone=create(), num_classes=3) | arguments)


BACKBONE = dict(
    out_indices=LISTS,
    in_channels=COUNTS,
    frozen_stages=(*without(COUNTS, 0, -1), -2, 5),
    norm_eval=FLAGS,
    norm_cfg=NORMS,
    output_stride=(*COUNTS, 32.0, '32', 4, (32,)),
    drop_path_rate=(*RATIOS, 1, 1.0, None),
    **RECOMPUTE,
)
DECODER = dict(
    num_classes=COUNTS,
    output_strides=(*without(LISTS, None), (3,), (1, 1), ([1],)),
    block=(None, 1, 'resnet', ['rexnet']),
    skip=(None, 1, 'add', ['sum']),
    norm_cfg=NORMS,
    decoder_channels=(*without(LISTS, None), (8, 8, 8, 8, NAN), (8, 8, 8, 8, '8'), 'abcde'),
    **RECOMPUTE,
)
OUTPUTS = (*without(LISTS, None, 1), 'fine', 3, (3,))
HEAD = {key: value for key, value in DECODER.items() if key != 'num_classes'} | dict(
    arch=NAMES,
    loss_decode=((), None, 3, 'CE', ['CE'], {}, dict(loss_weight=1), {1}),
    out_indices=LISTS,
    output_stride=BACKBONE['output_stride'],
    overrides=(1, 'width_mult', ['width_mult'], dict(width_mult='1.5'), dict(width=2)),
    scale_weights=(
        [NAN] * 6,
        [INF] * 6,
        [True] * 6,
        ['1'] * 6,
        [-1] * 6,
        [0] * 6,
        [1] * 5,
        [1] * 7,
        [None] * 6,
        '111111',
        {1, 2, 3, 4, 5, 6},
        3,
        {},
        [],
        {1.5: 1},
        {True: 1},
        {'a': 1},
        {1: '1'},
        {1: NAN},
    ),
    predict_weights=([NAN] * 6, [True], ['1'], {}, [], 0, '1', {3: 1}, {1: None}, {1: -INF}, {1}),
)
CASES = {
    create: dict(name=NAMES, **BACKBONE)
    | dict(
        width_mult=NUMBERS, depth_mult=NUMBERS, se_ratio=(*RATIOS, None), channel_divisor=COUNTS
    ),
    regnet: dict(w_0=COUNTS, w_a=NUMBERS, w_m=(*NUMBERS, 1), depth=COUNTS, group_width=COUNTS)
    | dict(se_ratio=(*RATIOS, None), group_rounding=(None, 1, 'up', ['nearest'])),
    ResNeXt: dict(
        depth=(*COUNTS, 50.0, '50', [50]),
        groups=COUNTS,
        base_width=COUNTS,
        pool_padding=(None, 1, 'valid', ['same']),
    ),
    classify: dict(name=NAMES, num_classes=without(COUNTS, 0), dropout=RATIOS),
    Classifier: dict(
        backbone=('rexnet_1.0', None, 3, {}, dict(arch='rexnet_1.0'), ['rexnet_1.0'], LOSS)
    ),
    decode: dict(
        feature_info=(
            None,
            3,
            'abc',
            ['abc'],
            [('c1', 'x', 2)],
            [('c1', 3, NAN)],
            [('c1', 0, 2)],
            {},
        ),
        **DECODER,
    ),
    unet: dict(backbone=(None, 'rexnet_1.0', 3, dict(type='rexdense.ReXNet')), blocks=(1,))
    | DECODER
    | dict(output_strides=OUTPUTS),
    create_unet: dict(
        name=(None, 3, 'unet', ['unet_rexnet_1.0']),
        num_classes=COUNTS,
        in_channels=COUNTS,
        output_strides=OUTPUTS,
        backbone=(3, 'rexnet_1.0', [], dict(width=2), dict(in_channels='1')),
        width_mult=(1.5,),
        widht_mult=(1.5,),
        feature_info=(None,),
        norm_cfg=NORMS,
        **RECOMPUTE,
    ),
    segment: HEAD
    | dict(
        num_classes=(*COUNTS, 1),
        out_channels=(0, True, '3', 2, 3.0, NAN, [3]),
        label_resizing=(None, 1, 'mean', ['share']),
        ignore_index=(None, True, '255', 255.0, NAN),
        threshold=(*RATIOS, None),
        scale=(1,),
    ),
    estimate: HEAD | dict(min_depth=(*NUMBERS, 10, 11), max_depth=(*NUMBERS, 0.1, 0.05)),
    ReXUNet: dict(arch=without(NAMES, None), norm_cfg=NORMS, out_indices=((0,),), **RECOMPUTE),
    ReXDepth: dict(scales=(*LISTS, (6,), (0, 0), (-1,))),
    DepthGradientLoss: dict(scales=COUNTS, loss_weight=NUMBERS, loss_name=(None, 3, 'gradient')),
    SelfSupervisedDepthLoss: dict(
        min_depth=(*NUMBERS, 100),
        max_depth=(*NUMBERS, 0.1),
        smoothness_weight=without(NUMBERS, 0),
        ssim_weight=(*RATIOS, None),
        auto_mask=FLAGS,
    ),
    BatchMix: dict(mixup=NUMBERS, cutmix=NUMBERS, probability=RATIOS, switch=RATIOS),
}
REFUSED = [
    pytest.param(build, name, values, id=f'{build.__name__}-{name}')
    for build, arguments in CASES.items()
    for name, values in arguments.items()
]


@pytest.mark.parametrize(('build', 'argument', 'values'), REFUSED)
def test_values_of_the_wrong_kind_are_refused_in_one_line(build, argument, values):
    accepted = []
    for value in values:
        call = dict(name='unet_rexnet_1.0', num_classes=3) if build is create_unet else {}
        try:
            with torch.device('meta'):
                build(**call | {argument: value})
        except RexdenseError as error:
            assert '\n' not in str(error)
            assert len(str(error)) < 400
        else:
            accepted.append(value)
    assert accepted == []


@pytest.mark.parametrize(
    ('build', 'arguments'),
    [
        (create, dict(out_indices=np.array([1, 2]), in_channels=np.int64(3))),
        (create, dict(frozen_stages=np.int32(1), output_stride=np.int64(16))),
        (create, dict(drop_path_rate=np.float32(0.1), width_mult=np.float64(1.5))),
        (create, dict(out_indices=range(5), drop_path_rate=0, recompute='blocks', with_cp=True)),
        (create, dict(norm_cfg=dict(type='BN', momentum=None, eps=1e-3, requires_grad=False))),
        (decode, dict(output_strides=np.array([1, 4]), decoder_channels=[np.int64(8)] * 5)),
        (segment, dict(scale_weights=np.full(6, 0.5), predict_weights=[1, 0, 0, 0.5, 0, 0])),
        (segment, dict(scale_weights={'1': 1, '4': 2}, output_strides=[1, 4])),
        (classify, dict(num_classes=np.int64(3), dropout=0)),
    ],
)
def test_numpy_numbers_and_ranges_are_taken(build, arguments):
    network = build(**arguments)
    if build is create:
        levels = network.eval()(torch.rand(1, 3, 64, 64))
        assert len(levels) == len(network.out_indices)
        assert all(type(index) is int for index in network.out_indices)


@pytest.mark.parametrize('checkpoint', [None, 3, True, [], '', b'x.pth'])
def test_a_checkpoint_of_the_wrong_kind_is_refused_in_one_line(checkpoint):
    with pytest.raises(RexdenseError, match='give the path of a file, a work directory, a URL or'):
        rexdense.load_weights(create(), checkpoint)


@pytest.mark.parametrize('module', [None, 'rexnet_1.0', {}])
def test_a_module_of_the_wrong_kind_is_refused_in_one_line(module):
    with pytest.raises(RexdenseError, match='give the network that is to be filled'):
        rexdense.load_weights(module, create().state_dict())


@pytest.mark.parametrize('pattern', [None, 3, ['rexnet_*']])
def test_a_pattern_of_the_wrong_kind_is_refused_in_one_line(pattern):
    with pytest.raises(RexdenseError, match='pattern='):
        rexdense.list_backbones(pattern)


@pytest.mark.parametrize('indices', LISTS)
def test_levels_of_the_wrong_kind_are_refused_without_a_network_too(indices):
    with pytest.raises(RexdenseError, match='out_indices'):
        channels('rexnet_1.0', indices)
