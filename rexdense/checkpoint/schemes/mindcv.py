"""Tensor names of mindspore-lab/mindcv (``models/{rexnet,regnet,resnet}.py``, version 0.5)."""

from rexdense.arch import Architecture
from rexdense.checkpoint.preprocessing import IMAGENET_RGB
from rexdense.checkpoint.schemes.pycls import REGNET as PYCLS_REGNET
from rexdense.checkpoint.schemes.scheme import FamilyNames, Scheme
from rexdense.checkpoint.schemes.torchvision import PREPROCESSING
from rexdense.checkpoint.schemes.torchvision import RESNEXT as TORCHVISION_RESNEXT


def rexnet_head(architecture: Architecture) -> dict[str, str]:
    """Return the layers after the last block; the first one continues the numbers of the blocks."""
    last = f'features.{sum(map(len, architecture.stages))}.features'
    final = {f'{last}.0': 'head.final.conv', f'{last}.1': 'head.final.norm'}
    return final | {'cls.1': 'head.fc'}


def regnet_block(level: int, position: int, **_: int) -> str:
    """Return a block's path: the first stage is a list that contains the other stages' lists."""
    stage = '0.blocks' if level == 1 else f'0.blocks.{level - 1}.blocks'
    return f'{stage}.{position}'


REXNET = FamilyNames(
    stem={'stem.features.0': 'stem.conv', 'stem.features.1': 'stem.norm'},
    block='features.{index}'.format,
    parts={
        'conv_exp.features.0': 'expand.conv',
        'conv_exp.features.1': 'expand.norm',
        'conv_dw.features.0': 'depthwise.conv',
        'conv_dw.features.1': 'depthwise.norm',
        'se.conv_reduce': 'squeeze_excitation.reduce',
        'se.bn': 'squeeze_excitation.norm',
        'se.conv_expand': 'squeeze_excitation.expand',
        'conv_pwl.features.0': 'project.conv',
        'conv_pwl.features.1': 'project.norm',
    },
    head=rexnet_head,
    preprocessing=IMAGENET_RGB,
)

REGNET = PYCLS_REGNET.with_parts(
    lambda part: part.replace('f_ex.0', 'conv_reduce').replace('f_ex.2', 'conv_expand'),
    block=regnet_block,
    preprocessing=PREPROCESSING,
)

RESNEXT = TORCHVISION_RESNEXT.with_parts(
    lambda part: part.replace('downsample', 'down_sample'),
    head={'classifier': 'head.fc'},
    options={'pool_padding': 'same'},
)

MINDCV = Scheme(
    name='mindcv',
    title='MindCV',
    families={'rexnet': REXNET, 'regnet': REGNET, 'resnext': RESNEXT},
    mindspore=True,
)
