"""Tensor names of clovaai/rexnet (``rexnetv1.py``, ``rexnetv1_lite.py``)."""

from rexdense.arch import Architecture
from rexdense.arch.rexnet import InvertedBottleneckSpec
from rexdense.checkpoint.preprocessing import IMAGENET_RGB
from rexdense.checkpoint.schemes.scheme import FamilyNames, Scheme

# The flat list of layers begins with the stem's convolution, batch norm and activation.
STEM_MODULES = 3


def block_parts(spec: InvertedBottleneckSpec) -> dict[str, str]:
    """Return the layers of a block: a list, whose indices shift if a layer is missing."""
    parts: dict[str, str] = {}
    index = 0
    if spec.hidden_channels != spec.in_channels:
        parts |= {'out.0': 'expand.conv', 'out.1': 'expand.norm'}
        index = 3
    parts |= {f'out.{index}': 'depthwise.conv', f'out.{index + 1}': 'depthwise.norm'}
    index += 2
    if spec.squeeze_channels:
        gate = {'fc.0': 'reduce', 'fc.1': 'norm', 'fc.3': 'expand'}
        parts |= {
            f'out.{index}.{theirs}': f'squeeze_excitation.{ours}' for theirs, ours in gate.items()
        }
        index += 1
    return parts | {f'out.{index + 1}': 'project.conv', f'out.{index + 2}': 'project.norm'}


def head(architecture: Architecture) -> dict[str, str]:
    """Return the layers after the last block: two in the same list, the others in ``output``."""
    last = STEM_MODULES + sum(map(len, architecture.stages))
    final = {f'features.{last}': 'head.final.conv', f'features.{last + 1}': 'head.final.norm'}
    if architecture.family == 'rexnet_lite':
        return final | {
            'output.0': 'head.hidden',
            'output.1': 'head.hidden_norm',
            'output.4': 'head.fc',
        }
    return final | {'output.1': 'head.fc'}


REXNET = FamilyNames(
    stem={'features.0': 'stem.conv', 'features.1': 'stem.norm'},
    block=lambda index, **_: f'features.{STEM_MODULES + index}',
    parts=block_parts,
    head=head,
    preprocessing=IMAGENET_RGB,
)

CLOVAAI = Scheme(
    name='clovaai',
    title='clovaai/rexnet',
    families={'rexnet': REXNET, 'rexnet_lite': REXNET},
    convolutional_fc=True,
)
