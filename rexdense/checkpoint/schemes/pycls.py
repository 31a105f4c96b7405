"""Tensor names of facebookresearch/pycls (``models/anynet.py``, ``models/blocks.py``)."""

from rexdense.checkpoint.preprocessing import IMAGENET_BGR
from rexdense.checkpoint.schemes.scheme import FamilyNames, Scheme

REGNET = FamilyNames(
    stem={'stem.conv': 'stem.conv', 'stem.bn': 'stem.norm'},
    block='s{level}.b{number}'.format,
    parts={
        'proj': 'downsample.conv',
        'bn': 'downsample.norm',
        'f.a': 'conv1.conv',
        'f.a_bn': 'conv1.norm',
        'f.b': 'conv2.conv',
        'f.b_bn': 'conv2.norm',
        'f.se.f_ex.0': 'squeeze_excitation.reduce',
        'f.se.f_ex.2': 'squeeze_excitation.expand',
        'f.c': 'conv3.conv',
        'f.c_bn': 'conv3.norm',
    },
    head={'head.fc': 'head.fc'},
    preprocessing=IMAGENET_BGR,
)

PYCLS = Scheme(name='pycls', title='pycls', families={'regnet': REGNET})
