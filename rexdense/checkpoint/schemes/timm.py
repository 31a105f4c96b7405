"""Names of timm (``rexnet.py``, ``regnet.py``, ``resnet.py``)."""

from rexdense.arch import Architecture
from rexdense.checkpoint.preprocessing import IMAGENET_RGB
from rexdense.checkpoint.schemes.scheme import FamilyNames, Scheme

__all__ = ['TIMM']

FC = {'head.fc': 'head.fc'}


def rexnet_head(architecture: Architecture) -> dict[str, str]:
    """Return the layers after the last block, the first of which is counted on with the blocks."""
    last = sum(map(len, architecture.stages))
    return {
        f'features.{last}.conv': 'head.final.conv',
        f'features.{last}.bn': 'head.final.norm',
    } | FC


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

TIMM = Scheme(name='timm', title='timm', families={'rexnet': REXNET})
