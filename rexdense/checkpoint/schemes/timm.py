"""Tensor names of timm (``rexnet.py``, ``regnet.py``, ``resnet.py``)."""

from rexdense.arch import Architecture
from rexdense.checkpoint.preprocessing import IMAGENET_RGB
from rexdense.checkpoint.schemes.scheme import FamilyNames, Scheme
from rexdense.checkpoint.schemes.torchvision import RESNEXT


def rexnet_head(architecture: Architecture) -> dict[str, str]:
    """Return the layers after the last block; the first one continues the numbers of the blocks."""
    last = f'features.{sum(map(len, architecture.stages))}'
    final = {f'{last}.conv': 'head.final.conv', f'{last}.bn': 'head.final.norm'}
    return final | {'head.fc': 'head.fc'}


REXNET = FamilyNames(
    stem={'stem.conv': 'stem.conv', 'stem.bn': 'stem.norm'},
    block='features.{index}'.format,
    parts={
        'conv_exp.conv': 'expand.conv',
        'conv_exp.bn': 'expand.norm',
        'conv_dw.conv': 'depthwise.conv',
        'conv_dw.bn': 'depthwise.norm',
        'se.fc1': 'squeeze_excitation.reduce',
        'se.bn': 'squeeze_excitation.norm',
        'se.fc2': 'squeeze_excitation.expand',
        'conv_pwl.conv': 'project.conv',
        'conv_pwl.bn': 'project.norm',
    },
    head=rexnet_head,
    preprocessing=IMAGENET_RGB,
)

REGNET = FamilyNames(
    stem={'stem.conv': 'stem.conv', 'stem.bn': 'stem.norm'},
    block='s{level}.b{number}'.format,
    parts={
        'conv1.conv': 'conv1.conv',
        'conv1.bn': 'conv1.norm',
        'conv2.conv': 'conv2.conv',
        'conv2.bn': 'conv2.norm',
        'se.fc1': 'squeeze_excitation.reduce',
        'se.fc2': 'squeeze_excitation.expand',
        'conv3.conv': 'conv3.conv',
        'conv3.bn': 'conv3.norm',
        'downsample.conv': 'downsample.conv',
        'downsample.bn': 'downsample.norm',
    },
    head={'head.fc': 'head.fc'},
    preprocessing=IMAGENET_RGB,
)

# timm's ResNeXt keeps torchvision's names.
TIMM = Scheme(
    name='timm',
    title='timm',
    families={'rexnet': REXNET, 'regnet': REGNET, 'resnext': RESNEXT},
)
